"""Try the proposed params on all rows: count what is kept and left out, and set what depends on the counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.params import section
from babelshelf.core.rows import LEVEL, SPLITS
from babelshelf.pairs.dropped_rows import bad_rows, described
from babelshelf.pairs.formats import PROPOSED
from babelshelf.pairs.labels import MISSING_WORDS
from babelshelf.pairs.params import FilesParams
from babelshelf.pairs.rows import TEXTS
from babelshelf.pairs.splits import KEPT, assign_splits, both_labels
from babelshelf.prepare import random_negatives
from babelshelf.prepare.from_pairs import SHOWN, check_splits, counts, read_rows, with_negatives

MOST_BAD = 0.02  # of rows: with more, something is wrong with the mapping or the file
WORDS_FOR_NONE = [word for word in MISSING_WORDS if any(letter.isalpha() for letter in word)]
FEW_LEVELS = 0.5  # of the rows, whose paths have levels
FEW, MANY = 20, 1000  # candidates: with fewer none are mined, with more the window is the paper's


@dataclass(frozen=True)
class Trial:
    """What came of a trial.

    Attributes:
        overlay: of params.yaml, a JSON merge patch.
        lines: what is told of the params, and what was counted.
        rows: those that are kept, and random negatives, with their splits.
    """

    overlay: dict[str, Any]
    lines: list[str]
    rows: pl.DataFrame


def tried(
    inputs: dict[str, Path], files: dict[str, Any], defaults: Mapping[str, Any], lines: list[str], seed: int
) -> Trial:
    """Read all rows with the params, and set what depends on how many there are.

    Args:
        inputs: a file or folder for each task.
        files: the section `prepare.files` as it is proposed.
        defaults: the sections of the tasks as they are by default.
        lines: what is told of the params.
        seed: of the cut.

    Returns:
        The overlay of params.yaml, the lines with what was counted, and the rows.

    Raises:
        InputError: there are no rows, more than 2 % are bad, or a split lacks a class, so that `prepare` would stop.
    """
    trial = {**files, "max_bad_share": 0.0, "split": {**files["split"], "leaks": "drop"}}
    settings = section(FilesParams, {"prepare.files": trial}, "prepare.files", None, PROPOSED)
    rows = read_rows(inputs, settings)
    for task in settings.tasks:
        if (rows.filter(task=task)["drop"] == "duplicate_id").any():
            files[task]["columns"]["id"] = ""
            lines.append(f"  {task}: ids are not unique, so ids are made from row numbers")
            return tried(inputs, files, defaults, lines, seed)
    worst = _check_bad(rows, settings)
    files["max_bad_share"] = MOST_BAD if worst else 0.0
    settled = assign_splits(rows, settings, seed)
    given = settled["given"].is_not_null().any()
    files["split"] = {**files["split"], "leaks": "drop" if given else "error"}
    negatives = random_negatives.random_negatives(settled, seed)
    for task in settings.tasks:
        lines += _counted(task, settled.filter(task=task))
        lines += _drawn(task, random_negatives.counted(settled.filter(task=task), negatives.filter(task=task)))
    overlay = _overlay(inputs, files, defaults, settled)
    lines += [*_notes(rows, files), *_unmined(settled, overlay["tasks"])]
    kept = with_negatives(settled.filter(KEPT), negatives)
    for task in settings.tasks:
        check_splits(task, kept.filter(task=task))
    return Trial(overlay, lines, kept)


def _check_bad(rows: pl.DataFrame, settings: FilesParams) -> float:
    """The largest share of bad rows; raise InputError if it is too large to be an accident."""
    dropped = bad_rows(rows, settings)
    worst = 0.0
    for task in settings.tasks:
        read, bad = rows.filter(task=task).height, dropped.filter(task=task).height
        if not read:
            raise InputError(f"{task}: no rows: give a file that has some")
        worst = max(worst, bad / read)
        if bad > MOST_BAD * read:
            lines = described(dropped.filter(task=task), SHOWN)
            total = f"{bad} of {read} {task} rows are bad ({bad / read:.2%}): is the mapping right? The first of them:"
            raise InputError("\n".join([total, *lines]))
    return worst


def _counted(task: str, rows: pl.DataFrame) -> list[str]:
    found = counts(rows)
    dropped = ", ".join(f"{reason} {count:,}" for reason, count in found["dropped"].items()) or "none"
    kept = rows.filter(KEPT)
    relevant = float(kept["label"].sum()) / max(kept.height, 1)
    sizes = ", ".join(f"{split} {kept.filter(split=split).height:,}" for split in SPLITS)
    languages = kept["language"].value_counts().sort(["count", "language"], descending=[True, False]).head(15)
    return [
        f"{task}: {found['read']:,} rows read, {found['kept']:,} kept ({sizes}), {relevant:.0%} relevant",
        f"  left out: {dropped}",
        f"  languages: {', '.join(f'{language} {count:,}' for language, count in languages.iter_rows())}",
    ]


def _drawn(task: str, numbers: Mapping[str, int]) -> list[str]:
    """What is told of random negatives."""
    if not numbers:
        return []
    sizes = ", ".join(f"{split} {numbers[split]:,}" for split in SPLITS)
    missing = f"; {numbers['missing']:,} could not be drawn for want of candidates" if numbers["missing"] else ""
    return [
        f"check: {task}: no row is irrelevant, so random candidates are added as negatives ({sizes}){missing}. They "
        "are easier to tell than what a search engine returns: F1 here is higher than it would be there, and says less",
    ]


def _unmined(settled: pl.DataFrame, recipes: Mapping[str, Any]) -> list[str]:
    """A line on each task of which so few train rows are relevant that the recipe mines no negatives."""
    train = settled.filter(KEPT & (pl.col("split") == "train"))
    lines = []
    for task, recipe in recipes.items():
        if recipe is None or recipe["train_on"] != "negatives":
            continue
        labels, most = train.filter(task=task)["label"], recipe["mine_negatives"]["positive_share"]
        share = float(labels.sum()) / max(len(labels), 1)
        if share <= most:
            lines.append(
                f"check: {task}: {share:.0%} of train is relevant, and negatives are mined down to {most:.0%} "
                f"(tasks.{task}.mine_negatives.positive_share): few or none are; `babelshelf tune` tries lower shares"
            )
    return lines


def _notes(rows: pl.DataFrame, files: dict[str, Any]) -> list[str]:
    notes = []
    for text in TEXTS:
        words = rows.filter(KEPT & pl.col(text).cast(pl.String).str.to_lowercase().is_in(WORDS_FOR_NONE))
        if words.height:
            shown = words[text].cast(pl.String).value_counts(sort=True)[text].head(3).to_list()
            notes.append(
                f"check: in {words.height:,} rows the {text} is {' or '.join(map(repr, shown))}: if that stands for a "
                "missing text, empty those cells"
            )
    if "qc" in files["tasks"] and (mark := files["qc"]["path_separator"]):
        paths = rows.filter(KEPT & (pl.col("task") == "qc")).select(pl.col("candidate").cast(pl.String))
        with_levels = float(paths["candidate"].str.contains(LEVEL, literal=True).mean() or 0)  # type: ignore[arg-type]
        if with_levels < FEW_LEVELS:
            notes.append(
                f"check: qc: {with_levels:.0%} of the paths have levels after all: {mark!r} seems to be a part of the "
                "names in the others; --path-separator MARK changes it"
            )
    if files["max_bad_share"]:
        notes.append(f"bad rows, at most {MOST_BAD:.0%}, will be written to data/original/dropped.csv")
    pairs = both_labels(rows)
    if pairs:
        notes.append(f"check: {pairs:,} pairs have both labels; prepare.files.conflicts keeps, drops or settles them")
    notes.append(
        "no glossary: queries are not translated (translate.languages: []); docs/translation.md says how to give one"
    )
    return notes


def _overlay(
    inputs: dict[str, Path], files: dict[str, Any], defaults: Mapping[str, Any], settled: pl.DataFrame
) -> dict[str, Any]:
    """All that changes in params.yaml; with few candidates there is less to rank."""
    kept = settled.filter(KEPT & (pl.col("split") == "train"))
    sizes = {task: kept.filter(task=task)["candidate"].n_unique() for task in inputs}
    tasks = {
        task: _recipe(size, defaults[task], files[task]["labels"]["random_negatives"]) for task, size in sizes.items()
    }
    path = str(next(iter(inputs.values())))
    used = {key: files[key] for key in ("tasks", *inputs, "split", "max_bad_share")}
    return {
        "tasks": {task: tasks.get(task) for task in defaults},
        "prepare": {
            "source": "files",
            "input": {task: str(inputs.get(task, path)) for task in ("qc", "qi")},
            "files": used,
        },
        "translate": {"languages": []},
    }


def _recipe(candidates: int, default: Mapping[str, Any], random: int) -> dict[str, Any]:
    """The default recipe without translation; original rows alone where there is next to nothing to mine.

    Beside `random` negatives a positive gets a mined one too: the share of relevant rows goes down to that.
    """
    variant = "negatives" if candidates >= FEW else "original"
    window = list(default["mine_negatives"]["rank_window"])
    if candidates >= MANY:
        window = [20, 50]
    elif candidates < 4 * window[1]:
        window = [1, max(candidates // 4, 2)]
    recipe = {"train_on": variant, "negatives_on": "original", "filter_on": variant}
    share = {"positive_share": math.ceil(100 / (2 + random)) / 100} if random else {}
    return {**default, **recipe, "mine_negatives": {**default["mine_negatives"], "rank_window": window, **share}}
