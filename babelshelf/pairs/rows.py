"""Clean the texts of a file's records, read their labels and languages, and say of each why it is not kept.

A record keeps its row until the end, with the reason why it is left out in the column `drop`: so that what was read is
what is kept plus what is left out, reason by reason.

Millions of rows fit in memory as each text is kept once: columns of texts are `CODED`, numbers in the table that say
which text it is (polars' Categorical). What is done to a text is done once for all rows that have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import polars as pl
import polars.selectors as cs

from babelshelf.core.errors import InputError
from babelshelf.core.languages import find
from babelshelf.core.rows import LEVEL
from babelshelf.pairs.comma_paths import rebuild
from babelshelf.pairs.dropped_rows import MISSING_CANDIDATE, MISSING_LABEL, TOO_LONG
from babelshelf.pairs.folders import task_files
from babelshelf.pairs.labels import MISSING_WORDS, read_labels
from babelshelf.pairs.readers import BROKEN, ENCODING, read_blocks
from babelshelf.pairs.separators import unwrapped
from babelshelf.pairs.several_columns import joined_columns, single_columns
from babelshelf.runtime.screen import progress
from babelshelf.text.keys import IGNORABLE_BUT_JOINERS, each_once, keys

if TYPE_CHECKING:
    from babelshelf.pairs.params import FileParams, FilesParams

StringsT = TypeVar("StringsT", pl.Series, pl.Expr)

TEXTS = ("query", "candidate")
FLAGS = ("broken", "control", "mojibake", "cleaned", "long", "too_long")
ROLES = (*TEXTS, "label", "language", "id", "split")
CODED = pl.Categorical()
SLICE = 1 << 20  # rows, or texts, that are worked on at a time
CONTROL = r"[\p{Cc}\x{FEFF}]"  # tabs and line breaks among them, which are white space and don't count as such
STRANGE = r"[\x{0}-\x{8}\x{E}-\x{1F}\x{7F}-\x{84}\x{86}-\x{9F}\x{FEFF}]"
# UTF-8 that was read as Windows-1252 or Latin-1, and what stands where a character was lost
MOJIBAKE = r"[ÂÃ][\x{80}-\x{BF}€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€|ï»¿|ï¿½|\x{FFFD}|(?:[ÐÑ][\x{80}-\x{BF}€-™]){2}"


def read_task(task: str, path: Path, settings: FilesParams) -> pl.DataFrame:
    """All records of a task's files.

    Args:
        task: `qc` or `qi`.
        path: a file or folder.
        settings: of the source.

    Returns:
        `task`, `file`, `row`, `line`, `id`, `language`, `query`, `candidate`, `key` (of the query), `label`, `given`
        (the split that the files say), `drop` (null for a good row), `value` (what a bad row is bad for),
        `random_negatives` (the param) and, for counting, `control`, `mojibake`, `long`, `cleaned`. All texts but `id`
        are `CODED`.

    Raises:
        InputError: there are no files, or a file can't be read or lacks columns: of all files.
    """
    own: FileParams = getattr(settings, task)
    named = own.columns.names()
    tables, problems = [], []
    for file, split in task_files(path, own):
        wanted = {role: names for role, names in named.items() if not (split and role == "split")}
        name = str(file.relative_to(path)) if path.is_dir() else file.name
        try:
            raw = _read_coded(file, own, wanted, task)
        except InputError as error:
            problems.append(error.message)
            continue
        tables.append(parsed_rows(raw, own, settings, split).with_columns(file=pl.lit(name, CODED)))
    if problems:
        raise InputError("\n".join(problems))
    rows = pl.concat(tables, rechunk=True).with_columns(task=pl.lit(task, CODED))
    return identified(rows, has_ids="id" in named, one_file=not path.is_dir())


def _read_coded(file: Path, own: FileParams, wanted: Mapping[str, Sequence[str]], task: str) -> pl.DataFrame:
    """The records of a file, texts `CODED`."""
    tables = []
    columns = single_columns(wanted, task)
    with progress(total=None, desc=f"read {file.name}", unit="row") as bar:
        for block in read_blocks(file, own, columns):
            tables.append(coded(joined_columns(block, wanted, task)))
            bar.update(block.height)
    return pl.concat(tables, rechunk=True)


def coded(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with all texts `CODED`, but for `id`, of which none is like another."""
    return rows.with_columns((cs.string() - cs.by_name("id", require_all=False)).cast(CODED))


def as_texts(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the texts themselves; rows with the same text share it in memory, which a cast would not do."""
    columns = rows.select(cs.categorical()).get_columns()
    return rows.with_columns(each_once(column, lambda texts: texts) for column in columns)


# --- a file ---


def parsed_rows(raw: pl.DataFrame, own: FileParams, settings: FilesParams, split: str) -> pl.DataFrame:
    """The records of `readers.read_file` with texts cleaned, labels and languages read, and the reasons for dropping.

    Args:
        raw: with the columns that the file has of `ROLES`.
        own: of the task.
        settings: of the source.
        split: of all rows, "" where they say it or are cut here.

    Returns:
        As `read_task`, without `task` and `file`, ids as they are.
    """
    given = {role: pl.col(role) if role in raw.columns else pl.lit(None, pl.String) for role in ROLES}
    rows = coded(raw.with_columns(**given))
    texts = {
        text: _texts(rows[text], text, own.path_separator if text == "candidate" else "", settings) for text in TEXTS
    }
    says_split = "split" in raw.columns
    parts = [
        _understood(part, texts, own, settings, says_split=says_split).with_columns(
            **({} if says_split else {"given": pl.lit(split or None, CODED)})
        )
        for part in (rows.iter_slices(SLICE) if rows.height else [rows])
    ]
    return pl.concat(parts, rechunk=True)


def _understood(
    rows: pl.DataFrame,
    texts: Mapping[str, pl.DataFrame],
    own: FileParams,
    settings: FilesParams,
    *,
    says_split: bool,
) -> pl.DataFrame:
    """Some of the rows; `texts` is what `_texts` makes of each text."""
    for text in TEXTS:
        rows = rows.rename({text: f"raw_{text}"}).join(texts[text], on=f"raw_{text}", how="left", maintain_order="left")
    plain = {role: each_once(rows[role], _stripped).cast(CODED) for role in ("label", "language", "split")}
    rows = rows.with_columns(id=_stripped(pl.col("id")), **plain)
    rows = rows.with_columns(
        label_read=each_once(rows["label"], lambda labels: read_labels(labels, own))
        if own.columns.label
        else pl.lit(1, pl.Int8),  # positive pairs alone
        language_read=each_once(rows["language"], lambda texts: _languages(texts, own.language_map))
        if own.columns.language
        else pl.lit(own.language, CODED),
        given=each_once(rows["split"], lambda names: _splits(names, settings)),
        **{flag: _any(pl.col(f"{text}_{flag}") for text in TEXTS) for flag in FLAGS},
    )
    return (
        _with_reasons(rows, own, settings, says_split=says_split)
        .drop("label", "language")
        .rename({"label_read": "label", "language_read": "language"})
        .select(
            *("row", "line", "id", "language", "query", "candidate", "key", "label", "given", "drop", "value"),
            *("control", "mojibake", "long", "cleaned"),
            random_negatives=pl.lit(own.labels.random_negatives, pl.UInt8),
        )
    )


def _texts(column: pl.Series, text: str, separator: str, settings: FilesParams) -> pl.DataFrame:
    """What becomes of each text of a column: `raw_<text>`, `<text>`, `key` (`candidate_key`), and `<text>_<flag>`."""
    values = column.unique().drop_nulls().to_frame("raw")
    longest = getattr(settings.long, text)
    paths: Mapping[str, str] = {}
    if separator == ",":  # names hold commas too, so it takes all paths to tell which of them end a level
        plain = values.select(unwrapped(_plain(pl.col("raw").cast(pl.String)))).to_series()
        paths = rebuild(plain.filter(plain != "").unique().sort().to_list()).texts
    slices = values.iter_slices(SLICE) if values.height else [values]
    parts = [_clean(part, separator, paths, longest, settings.longest_query) for part in slices]
    names = {"raw": f"raw_{text}", "plain": text, "key": "key" if text == "query" else f"{text}_key"}
    return pl.concat(parts, rechunk=True).rename(names | {flag: f"{text}_{flag}" for flag in FLAGS})


def _clean(texts: pl.DataFrame, separator: str, paths: Mapping[str, str], longest: int, limit: int) -> pl.DataFrame:
    """Column `raw`, and of each `plain` (in NFC, without control characters), `key`, and whether it has a flag."""
    raw, plain = pl.col("raw"), pl.col("plain")
    known = texts.select(raw.cast(pl.String)).with_columns(plain=_plain(raw)).with_columns(cleaned=raw != plain)
    if separator:
        apart = unwrapped(plain)
        if paths:
            apart = apart.replace(paths)
        elif separator != ",":
            apart = apart.str.replace_all(rf"\s*{re.escape(separator)}\s*", LEVEL)
        known = known.with_columns(plain=apart.str.strip_chars(" >"))
    flagged = known.with_columns(
        keys(known["plain"]).cast(CODED),
        broken=raw.str.contains(BROKEN, literal=True),
        control=raw.str.contains(STRANGE),
        mojibake=raw.str.contains(MOJIBAKE),
        long=plain.str.len_chars() > longest,
        too_long=plain.str.len_chars() > limit,
    )
    return flagged.with_columns(texts["raw"], plain=plain.cast(CODED))


def _stripped(texts: StringsT) -> StringsT:
    return texts.str.replace_all(CONTROL, " ").str.strip_chars()


def _any(conditions: Iterable[pl.Expr]) -> pl.Expr:
    return pl.any_horizontal(*conditions).fill_null(value=False)


def _plain(text: pl.Expr) -> pl.Expr:
    """As `text.stored`, without invisible characters but joiners; control characters become spaces."""
    visible = text.str.replace_all(f"[{IGNORABLE_BUT_JOINERS}]", "")
    return visible.str.replace_all(CONTROL, " ").str.normalize("NFC").str.replace_all(r"\s+", " ").str.strip_chars(" ")


def _languages(texts: pl.Series, mapping: Mapping[str, str]) -> pl.Series:
    codes = [mapping.get(text.lower()) or find(text) for text in texts]  # some dozens, one would hope
    return pl.Series(codes, dtype=CODED)


def _splits(texts: pl.Series, settings: FilesParams) -> pl.Series:
    names = {name.casefold(): split for split, names in settings.split.names.items() for name in names}
    return texts.str.to_lowercase().replace_strict(names, default=None, return_dtype=CODED)


def _with_reasons(rows: pl.DataFrame, own: FileParams, settings: FilesParams, *, says_split: bool) -> pl.DataFrame:
    """`drop`, the first reason of these, and `value`, what it is about."""
    is_word = each_once(rows["label"], lambda labels: labels.str.to_lowercase().is_in(MISSING_WORDS))
    no_label = (pl.col("label").fill_null("") == "") | (pl.col("label_read").is_null() & pl.lit(is_word))
    no_label = no_label.fill_null(value=False)
    reasons: dict[str, tuple[pl.Expr, pl.Expr]] = {
        ENCODING: (pl.col("broken"), pl.concat_str("raw_query", pl.lit(" | "), "raw_candidate", ignore_nulls=True)),
        "empty_query": (pl.col("key").fill_null("") == "", pl.col("raw_query")),
    }
    reasons[TOO_LONG] = (pl.col("query_too_long"), pl.col("raw_query"))
    if settings.missing_candidate == "drop":
        reasons[MISSING_CANDIDATE] = (pl.col("candidate").fill_null("") == "", pl.lit(None, pl.String))
    reasons["empty_candidate"] = (pl.col("candidate_key").fill_null("") == "", pl.col("raw_candidate"))
    if own.columns.label and own.labels.missing == "drop":
        reasons[MISSING_LABEL] = (no_label, pl.lit(None, pl.String))
    reasons["bad_label"] = (pl.col("label_read").is_null(), pl.col("label"))
    reasons["unknown_language"] = (pl.col("language_read").is_null(), pl.col("language"))
    if says_split:
        reasons["bad_split"] = (pl.col("given").is_null(), pl.col("split"))
    if own.columns.id:
        reasons["empty_id"] = (pl.col("id").fill_null("") == "", pl.col("id"))
    drops = [pl.when(broken).then(pl.lit(reason, CODED)) for reason, (broken, _) in reasons.items()]
    with_drop = rows.with_columns(drop=pl.coalesce("problem", *drops)).with_row_index("place")
    values = [
        pl.when(pl.col("drop") == reason).then(value.cast(pl.String).fill_null(""))
        for reason, (_, value) in reasons.items()
    ]
    dropped = with_drop.filter(pl.col("drop").is_not_null())  # few, one would hope: their values are texts
    found = dropped.select("place", value=pl.coalesce(pl.col("record").cast(pl.String), *values).cast(CODED))
    return with_drop.join(found, on="place", how="left", maintain_order="left").drop("place")


def identified(rows: pl.DataFrame, *, has_ids: bool, one_file: bool) -> pl.DataFrame:
    """Ids that begin with the task: the file's own, or made of the file and the row's number."""
    if has_ids:
        kept = pl.col("drop").is_null() & pl.col("id").is_not_null()
        again = kept & ~pl.when(kept).then("id").is_first_distinct()
        return rows.with_columns(
            drop=pl.when(again).then(pl.lit("duplicate_id", CODED)).otherwise("drop"),
            value=pl.coalesce("value", pl.when(again).then("id").cast(CODED)),
            id=pl.format("{}-{}", "task", "id"),
        )
    number = pl.col("row").cast(pl.String).str.zfill(7)
    parts = ["task", number] if one_file else ["task", "file", number]
    return rows.with_columns(id=pl.concat_str(parts, separator="-"))
