"""Lengths and flaws of texts, and the rows that `prepare` dropped or changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from babelshelf.core.rows import SPLITS
from babelshelf.data_report.tables import COLUMNS, Count, Finding, TaskTables
from babelshelf.page import figures
from babelshelf.page.cells import examples_of, percent
from babelshelf.page.document import Block, Figure, Table, Text
from babelshelf.pairs.dropped_rows import PROBLEMS
from babelshelf.pairs.params import CharactersPerText
from babelshelf.pairs.rows import MOJIBAKE, STRANGE
from babelshelf.text.keys import keys

TEXTS = ("query", "candidate")
QUANTILES = {"min": 0.0, "p05": 0.05, "p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
FLAWS = {
    "empty": "no letter or digit",
    "control": "a control character, or a byte order mark",
    "mojibake": "looks like UTF-8 that was decoded with another encoding, or has replacement characters",
}
FLAW_NAMES = {"empty": "a text without letter or digit", "control": "control characters", "mojibake": "mojibake"}
NOTICED = {
    "cleaned": "kept: white space or Unicode form was normalized",
    "control": "kept: control characters became spaces",
    "mojibake": "kept: looks like UTF-8 that was decoded with another encoding",
    "long": "kept: longer than the source's param `long`",
}
DROPPED = {
    "missing_candidate": "dropped: no candidate",
    "missing_label": "dropped: no label",
    "leak": "dropped: its query is in another split too",
    "conflict": "dropped: the pair has both labels",
    "duplicate": "dropped: the same pair and label as an earlier row",
    "holdout_language": "dropped: a train row of a language that is held out",
    "other_version": "dropped: not in the version prepare.esci.version",
    "other_locale": "dropped: not of prepare.esci.locales",
    "substitute": "dropped: of the grade substitute, as prepare.esci.grades says",
    "complement": "dropped: of the grade complement, as prepare.esci.grades says",
    "no_product": "dropped: no product has its id in its locale",
}


def lengths(data: TaskTables, long: CharactersPerText) -> Finding:
    """Lengths of queries and candidates in characters, over rows, and texts longer than `long`."""
    metrics: dict[str, Any] = {}
    rows, pictures, shown, counts = [], list[Block](), list[Block](), []
    for text in TEXTS:
        sized = data.rows.select(*COLUMNS, characters=pl.col(text).str.len_chars())
        most: int = getattr(long, text)
        over = sized.filter(pl.col("characters") > most)
        metrics[text] = {split: _length_metrics(sized, split, most) for split in SPLITS}
        for split, of_split in metrics[text].items():
            rows.append([text, split, *(f"{of_split[name]:.0f}" for name in QUANTILES), f"{of_split['long']:,}"])
        caption = f"{data.task}: characters of a {text}; longer ones than {most} count as {most}."
        by_split = {split: sized.filter(pl.col("split") == split)["characters"].to_numpy() for split in SPLITS}
        picture = figures.lengths(by_split, most)
        pictures.append(Figure(f"lengths-{text}-{data.task}", f"{caption} The table has it.", caption, picture))
        counts.append(Count(f"rows with a {text} of more than {most} characters", over.height, sized.height))
        if over.height:
            columns = {name: COLUMNS[name] for name in ("split", "id", text)} | {"characters": "Characters"}
            shown.append(examples_of(f"{data.task}: over-long {text}", over, columns))
    headings = ["Text", "Split", "Shortest", "5 %", "Median", "95 %", "99 %", "Longest", "Over-long"]
    table = Table(f"{data.task}: characters, quantiles over rows", headings, rows, text_columns=2)
    return Finding("Lengths", metrics, [table, *pictures, *shown], counts)


def flaws(data: TaskTables) -> Finding:
    """Rows with an empty or broken text, by split, and missing texts of the rows to predict."""
    marked = data.rows.with_columns(flaw for text in TEXTS for flaw in _flaws(data.rows[text], text))
    names = [f"{text}_{flaw}" for text in TEXTS for flaw in FLAWS]
    metrics: dict[str, Any] = {
        split: marked.filter(pl.col("split") == split).select(pl.col(names).sum()).row(0, named=True)
        for split in SPLITS
    }
    blocks: list[Block] = [_flaw_table(data.task, metrics)]
    for text in TEXTS:
        for flaw in FLAWS:
            flawed = marked.filter(f"{text}_{flaw}")
            if flawed.height:
                columns = {name: COLUMNS[name] for name in ("split", "id", "language", text)}
                blocks.append(examples_of(f"{data.task}: {flaw} in the {text}", flawed, columns))
    missing = {f"{text}_null": data.unlabelled[text].null_count() for text in TEXTS}
    if data.unlabelled.height:
        metrics["unlabelled"] = missing
        sizes = ", ".join(f"{missing[f'{text}_null']:,} without a {text}" for text in TEXTS)
        blocks.append(Text(f"Of {data.unlabelled.height:,} rows to predict: {sizes}. They get an answer, too."))
    either = {flaw: marked.filter(pl.any_horizontal(*(f"{text}_{flaw}" for text in TEXTS))).height for flaw in FLAWS}
    return Finding(
        "Flaws of texts",
        metrics,
        blocks,
        [Count(f"rows with {FLAW_NAMES[flaw]}", either[flaw],
               data.rows.height) for flaw in FLAWS],
    )  # fmt: skip


def left_out(data: TaskTables) -> Finding:
    """Rows that `prepare` dropped or changed, with examples of bad rows; empty if the source has no such counts."""
    counts = data.left_out
    if "read" not in counts:
        return Finding("Left out by prepare", {}, [Text("The source leaves no rows out.")])
    rows = [[reason, _meaning(reason), f"{n:,}", percent(n / counts["read"], 2)] for reason, n in _reasons(counts)]
    read = f"{data.task}: of {counts['read']:,} rows that were read, {counts['kept']:,} were kept"
    blocks: list[Block] = [Table(read, ["Reason", "Meaning", "Rows", "Of those read, %"], rows, text_columns=2)]
    if data.dropped is not None and data.dropped.height:
        columns = {"file": "File", "row": "Row", "column": "Column", "value": "Value", "fix": "Fix"}
        for (reason,), dropped in data.dropped.group_by("reason", maintain_order=True):
            blocks.append(examples_of(f"{data.task}: {reason}", dropped, columns))
    metrics = {name: counts[name] for name in ("read", "kept", "bad", "dropped", "noticed")}
    lost = Count("rows of the input that prepare dropped", counts["read"] - counts["kept"], counts["read"])
    return Finding("Left out by prepare", metrics, blocks, [lost])


def _length_metrics(sized: pl.DataFrame, split: str, most: int) -> dict[str, float]:
    characters = sized.filter(pl.col("split") == split)["characters"]
    quantiles = {name: characters.quantile(at, "nearest") or 0.0 for name, at in QUANTILES.items()}
    return quantiles | {"long": int((characters > most).sum())}


def _flaws(texts: pl.Series, text: str) -> Iterator[pl.Series]:
    bare = texts.filter(~texts.str.contains(r"[\p{L}\p{M}\p{N}]")).unique()  # few: keys are slow
    yield texts.is_in(bare.filter(keys(bare) == "").implode()).alias(f"{text}_empty")
    yield texts.str.contains(STRANGE).alias(f"{text}_control")
    yield texts.str.contains(MOJIBAKE).alias(f"{text}_mojibake")


def _flaw_table(task: str, metrics: dict[str, Any]) -> Table:
    rows = [
        [flaw, text, meaning, *(f"{metrics[split][f'{text}_{flaw}']:,}" for split in SPLITS)]
        for flaw, meaning in FLAWS.items()
        for text in TEXTS
    ]
    headings = ["Flaw", "Text", "What it is", *(f"Rows in {split}" for split in SPLITS)]
    return Table(f"{task}: rows with a flaw", headings, rows, text_columns=3)


def _reasons(counts: Any) -> list[tuple[str, int]]:  # noqa: ANN401 - metrics/prepare.json
    noticed = {f"noticed: {name}": n for name, n in counts["noticed"].items() if n}
    return [*counts["dropped"].items(), *noticed.items()]


def _meaning(reason: str) -> str:
    if reason in PROBLEMS:
        return f"dropped as bad: {PROBLEMS[reason][1]}"
    return DROPPED.get(reason) or NOTICED.get(reason.removeprefix("noticed: "), "")
