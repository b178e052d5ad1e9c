"""Clean the texts of a file's records, read their labels and languages, and say of each why it is not kept.

A record keeps its row until the end, with the reason why it is left out in the column `drop`: so that what was read is
what is kept plus what is left out, reason by reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from babelshelf.errors import InputError
from babelshelf.languages import find
from babelshelf.pairs.readers import BROKEN, ENCODING, NOT_JSON, RAGGED, read_file
from babelshelf.text import keys

if TYPE_CHECKING:
    from babelshelf.params.prepare import FileParams, FilesParams

TEXTS = ("query", "candidate")
ROLES = (*TEXTS, "label", "language", "id", "split")
SPLITS = ("train", "dev", "test")
CONTROL = r"[\p{Cc}\x{FEFF}]"  # tabs and line breaks among them, which are white space and don't count as such
STRANGE = r"[\x{0}-\x{8}\x{E}-\x{1F}\x{7F}-\x{84}\x{86}-\x{9F}\x{FEFF}]"
# UTF-8 that was read as Windows-1252 or Latin-1, and what stands where a character was lost
MOJIBAKE = r"[ÂÃ][\x{80}-\x{BF}€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€|ï»¿|ï¿½|\x{FFFD}|(?:[ÐÑ][\x{80}-\x{BF}€-™]){2}"
LONGEST_VALUE = 200  # characters of a value that a message or the table of rejects shows

# Why a bad row is bad: what is wrong with the value, and the mend. Names of columns are put in for {braces}.
PROBLEMS = {
    RAGGED: ("", "another number of cells than the header", "quote cells that hold the delimiter"),
    NOT_JSON: ("", "no JSON object", "write one object a line"),
    ENCODING: ("", "bytes that are not in the encoding", "save the file as UTF-8, or set encoding to what it is in"),
    "empty_query": ("query", "no letter or digit", "write the query, or take the row out"),
    "empty_candidate": ("candidate", "no letter or digit", "write the candidate, or take the row out"),
    "bad_label": ("label", "no label", "correct it, or add it to labels.positive or labels.negative"),
    "unknown_language": ("language", "no known language", "write a code of ISO 639-1 such as de, or a tag as pt-BR"),
    "bad_split": ("split", "no split", "correct it, or add it to prepare.files.split.names"),
    "empty_id": ("id", "no id", "write one, or set columns.id to none"),
    "duplicate_id": ("id", "an id that an earlier row has", "make ids unique, or set columns.id to none"),
}
MISSING_CANDIDATE, MISSING_LABEL = "missing_candidate", "missing_label"

REJECTS = pl.Schema(
    {
        "task": pl.String,
        "file": pl.String,
        "row": pl.Int64,
        "line": pl.Int64,
        "problem": pl.String,
        "column": pl.String,
        "value": pl.String,
        "mend": pl.String,
    }
)


def read_task(task: str, path: Path, settings: FilesParams) -> pl.DataFrame:
    """All records of a task's files.

    Args:
        task: `qc` or `qi`.
        path: a file or folder.
        settings: of the source.

    Returns:
        `task`, `file`, `row`, `line`, `id`, `language`, `query`, `candidate`, `key` (of the query), `label`, `given`
        (the split that the files say), `drop` (null for a good row), `value` (what a bad row is bad for) and, for
        counting, `control`, `mojibake`, `long`, `cleaned`.

    Raises:
        InputError: there are no files, or a file can't be read or lacks columns: of all files.
    """
    own: FileParams = getattr(settings, task)
    named = {role: name for role, name in own.columns if name}
    tables, problems = [], []
    for file, split in task_files(path, own):
        wanted = {role: name for role, name in named.items() if not (split and role == "split")}
        name = str(file.relative_to(path)) if path.is_dir() else file.name
        try:
            raw = read_file(file, own, wanted)
        except InputError as error:
            problems.append(error.message)
            continue
        tables.append(understood(raw, own, settings, split).with_columns(file=pl.lit(name)))
    if problems:
        raise InputError("\n".join(problems))
    rows = pl.concat(tables).with_columns(task=pl.lit(task))
    return identified(rows, has_ids="id" in named, one_file=not path.is_dir())


def task_files(path: Path, settings: FileParams) -> list[tuple[Path, str]]:
    """Each file of a task with its split, "" where its rows say it or are cut here, by name.

    Raises:
        InputError: there is no such file or folder, nothing in it has a pattern's form, or a file has two.
    """
    if path.is_file():
        if not settings.rows or settings.train or settings.dev or settings.test:
            raise InputError(f"{path}: one file: set rows to '*', and train, dev and test to none, or give its folder")
        return [(path, "")]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder; prepare.input names it")
    found: dict[Path, str] = {}
    for split in ("", *SPLITS):
        pattern = getattr(settings, split or "rows")
        files = files_like(path, pattern) if pattern else []
        if pattern and not files:
            raise InputError(f"{path}: no file in it has the form {pattern!r} ({split or 'rows'})")
        twice = [file for file in files if file in found]
        if twice:
            raise InputError(f"{twice[0]}: has the form of {found[twice[0]] or 'rows'} and of {split}: keep one")
        found |= dict.fromkeys(files, split)
    return sorted(found.items())


def files_like(folder: Path, pattern: str) -> list[Path]:
    """Files of a folder that have a pattern's form; raise InputError where it is no pattern, or leads out of it."""
    if pattern.startswith("/") or ".." in Path(pattern).parts:
        raise InputError(f"{folder}: the pattern {pattern!r} leads out of the folder")
    try:
        return [file for file in folder.glob(pattern) if file.is_file() and not file.name.startswith(".")]
    except (ValueError, NotImplementedError, OSError, re.error) as error:
        raise InputError(f"{folder}: {pattern!r} is no pattern of files: {error}") from error


def bad_rows(rows: pl.DataFrame, settings: FilesParams) -> pl.DataFrame:
    """The bad rows as the user gets them, `REJECTS`, in the order of the files."""
    bad = rows.filter(pl.col("drop").is_in(list(PROBLEMS)))
    columns = {problem: role for problem, (role, _, _) in PROBLEMS.items() if role}
    names = [
        {"task": task, "role": role, "column": name}
        for task in settings.tasks
        for role, name in getattr(settings, task).columns
    ]
    mends = {problem: mend for problem, (_, _, mend) in PROBLEMS.items()}
    return (
        bad.with_columns(role=pl.col("drop").replace_strict(columns, default=None, return_dtype=pl.String))
        .join(pl.DataFrame(names), on=["task", "role"], how="left", maintain_order="left")
        .with_columns(
            problem="drop",
            value=pl.col("value").str.replace_all(BROKEN, "\ufffd", literal=True).str.slice(0, LONGEST_VALUE),
            mend=pl.col("drop").replace_strict(mends),
        )
        .select(REJECTS.names())
        .cast(dict(REJECTS))  # type: ignore[arg-type]
    )


def described(rejects: pl.DataFrame) -> list[str]:
    """A line for each bad row, with file, row, column, value and the mend."""
    lines = []
    for bad in rejects.iter_rows(named=True):
        where = f"{bad['file']}, row {bad['row']}" + (f" (line {bad['line']})" if bad["line"] is not None else "")
        column = f", column {bad['column']!r}" if bad["column"] else ""
        lines.append(f"{where}{column}: {bad['value']!r}: {PROBLEMS[bad['problem']][1]}: {bad['mend']}")
    return lines


# --- a file ---


def understood(raw: pl.DataFrame, own: FileParams, settings: FilesParams, split: str) -> pl.DataFrame:
    """The records of `readers.read_file` with texts cleaned, labels and languages read, and the reasons for dropping.

    Args:
        raw: with the columns that the file has of `ROLES`.
        own: of the task.
        settings: of the source.
        split: of all rows, "" where they say it or are cut here.

    Returns:
        As `read_task`, without `task` and `file`, ids as they are.
    """
    says_split = "split" in raw.columns
    given = {role: pl.col(role) if role in raw.columns else pl.lit(None, pl.String) for role in ROLES}
    rows = raw.with_columns(**given).with_columns(
        pl.col(role).str.replace_all(CONTROL, " ").str.strip_chars() for role in ("label", "language", "id", "split")
    )
    rows = _with_clean_texts(rows, own.levels, settings)
    rows = rows.with_columns(
        label_read=_label(rows["label"], own),
        language_read=_languages(rows["language"]) if own.columns.language else pl.lit(own.language),
        given=_split(settings) if says_split else pl.lit(split or None, pl.String),
    )
    return (
        _with_reasons(rows, own, settings, says_split=says_split)
        .drop("label", "language")
        .rename({"label_read": "label", "language_read": "language"})
        .select(
            *("row", "line", "id", "language", "query", "candidate", "key", "label", "given", "drop", "value"),
            *("control", "mojibake", "long", "cleaned"),
        )
    )


def _with_clean_texts(rows: pl.DataFrame, levels: str, settings: FilesParams) -> pl.DataFrame:
    """`query` and `candidate` in NFC without control characters, `key` and `candidate_key`, and what was counted."""
    clean = {text: _plain(pl.col(text)) for text in TEXTS}
    if levels:
        apart = clean["candidate"].str.replace_all(rf"\s*{re.escape(levels)}\s*", " > ")
        clean["candidate"] = apart.str.strip_chars(" >")
    marked = rows.with_columns(
        broken=_any(pl.col(text).str.contains(BROKEN, literal=True) for text in TEXTS),
        control=_any(pl.col(text).str.contains(STRANGE) for text in TEXTS),
        mojibake=_any(pl.col(text).str.contains(MOJIBAKE) for text in TEXTS),
        cleaned=_any(pl.col(text) != _plain(pl.col(text)) for text in TEXTS),
        **{f"raw_{text}": pl.col(text) for text in TEXTS},
        **clean,
    )
    return marked.with_columns(
        keys(marked["query"]),
        keys(marked["candidate"]).alias("candidate_key"),
        long=_any(pl.col(text).str.len_chars() > getattr(settings.long, text) for text in TEXTS),
    )


def _any(conditions: Iterable[pl.Expr]) -> pl.Expr:
    return pl.any_horizontal(*conditions).fill_null(value=False)


def _plain(text: pl.Expr) -> pl.Expr:
    """As `text.stored`, control characters made spaces before."""
    return text.str.replace_all(CONTROL, " ").str.normalize("NFC").str.replace_all(r"\s+", " ").str.strip_chars(" ")


def _label(labels: pl.Series, own: FileParams) -> pl.Series:
    """0 or 1, null where a label says neither."""
    values = labels.to_frame("value").with_columns(number=pl.col("value").cast(pl.Float64, strict=False))
    if own.labels.cut != "none":
        finite = pl.col("number").is_finite()
        return values.select(pl.when(finite).then(pl.col("number") >= own.labels.cut).cast(pl.Int8)).to_series()
    known = dict.fromkeys(label_keys(own.labels.negative), 0) | dict.fromkeys(label_keys(own.labels.positive), 1)
    return label_keys(labels).replace_strict(known, default=None, return_dtype=pl.Int8)


def label_keys(labels: Iterable[str | None]) -> pl.Series:
    """What labels are compared by: without case and space around them, and 1.0 is 1."""
    texts = pl.Series(values=labels, dtype=pl.String)
    return texts.str.strip_chars().str.to_lowercase().str.replace(r"^([+-]?\d+)\.0+$", "$1")


def _languages(texts: pl.Series) -> pl.Series:
    known = {text: find(text) for text in texts.unique() if text is not None}  # some dozens, one would hope
    return texts.replace_strict(known, default=None, return_dtype=pl.String)


def _split(settings: FilesParams) -> pl.Expr:
    names = {name.casefold(): split for split, names in settings.split.names.items() for name in names}
    return pl.col("split").str.to_lowercase().replace_strict(names, default=None, return_dtype=pl.String)


def _with_reasons(rows: pl.DataFrame, own: FileParams, settings: FilesParams, *, says_split: bool) -> pl.DataFrame:
    """`drop`, the first reason of these, and `value`, what it is about."""
    no_label = pl.col("label").fill_null("") == ""
    reasons: dict[str, tuple[pl.Expr, pl.Expr]] = {
        ENCODING: (pl.col("broken"), pl.concat_str("raw_query", pl.lit(" | "), "raw_candidate", ignore_nulls=True)),
        "empty_query": (pl.col("key").fill_null("") == "", pl.col("raw_query")),
    }
    if settings.missing_candidate == "drop":
        reasons[MISSING_CANDIDATE] = (pl.col("candidate").fill_null("") == "", pl.lit(None, pl.String))
    reasons["empty_candidate"] = (pl.col("candidate_key").fill_null("") == "", pl.col("raw_candidate"))
    if own.labels.missing == "drop":
        reasons[MISSING_LABEL] = (no_label, pl.lit(None, pl.String))
    reasons["bad_label"] = (pl.col("label_read").is_null(), pl.col("label"))
    reasons["unknown_language"] = (pl.col("language_read").is_null(), pl.col("language"))
    if says_split:
        reasons["bad_split"] = (pl.col("given").is_null(), pl.col("split"))
    if own.columns.id:
        reasons["empty_id"] = (pl.col("id").fill_null("") == "", pl.col("id"))
    drops = [pl.when(broken).then(pl.lit(reason)) for reason, (broken, _) in reasons.items()]
    with_drop = rows.with_columns(drop=pl.coalesce("problem", *drops))
    values = [pl.when(pl.col("drop") == reason).then(value.fill_null("")) for reason, (_, value) in reasons.items()]
    return with_drop.with_columns(value=pl.coalesce("record", *values))


def identified(rows: pl.DataFrame, *, has_ids: bool, one_file: bool) -> pl.DataFrame:
    """Ids that begin with the task: the file's own, or made of the file and the row's number."""
    if has_ids:
        again = pl.col("drop").is_null() & (pl.int_range(pl.len()).rank("ordinal").over("drop", "id") > 1)
        again = again & pl.col("id").is_not_null()
        return rows.with_columns(
            drop=pl.when(again).then(pl.lit("duplicate_id")).otherwise("drop"),
            value=pl.when(again).then("id").otherwise("value"),
            id=pl.format("{}-{}", "task", "id"),
        )
    number = pl.col("row").cast(pl.String).str.zfill(7)
    parts = ["task", number] if one_file else ["task", "file", number]
    return rows.with_columns(id=pl.concat_str(parts, separator="-"))


def counted(rows: pl.DataFrame) -> Mapping[str, int]:
    """How many rows have each reason in `drop`, sorted by it."""
    return dict(rows.drop_nulls("drop").group_by("drop").len().sort("drop").iter_rows())
