"""Score a user's file of pairs, however large, with a trained model: `babelshelf score`.

The file is read twice: once to find all that is wrong with it before a model is loaded, and once to score it, block by
block. What is finished is kept as Parquet, a file a block, until the output is complete.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from tqdm import tqdm

from babelshelf.commands.score.output import write_answers
from babelshelf.commands.score.pairs_to_score import PairFile, TooLong
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.core.partial_work import partial_work
from babelshelf.core.rows import LEVEL, write_table
from babelshelf.core.variants import FINAL
from babelshelf.evaluate.warnings import warnings
from babelshelf.llm.base_model import check_base, load_tokenizer
from babelshelf.llm.prompts import parse, too_long
from babelshelf.pairs.dropped_rows import described
from babelshelf.pairs.guesses import percent
from babelshelf.score.scorer import Scorer, base_lm, kind_of, load_scorer, read_record
from babelshelf.tables.calibration import Calibration

if TYPE_CHECKING:
    from babelshelf.score.params import ScoreParams

SHOWN = 20  # bad rows that a message shows
LOST_LEVELS = 0.5  # of the share in training: with fewer paths, levels were probably lost
VECTORS = "vectors"  # of a block's texts, for a classifier: they would fill a disk if they were kept


@dataclass(frozen=True)
class ModelFiles:
    """What scores.

    Attributes:
        base: see `load_scorer`.
        model: folder of what was trained on it.
        calibrated: the metrics of `calibrate`.
        settings: how pairs are scored.
    """

    base: Path
    model: Path
    calibrated: Path
    settings: ScoreParams

    def check(self, task: str) -> None:
        """Raise InputError if something is not there, or the threshold is that of another model."""
        needed = (
            [self.base, self.model, self.calibrated] if kind_of(self.model) == "lm" else [self.model, self.calibrated]
        )
        lacking = [path for path in needed if not path.exists()]
        if lacking:
            raise InputError(
                f"{lacking[0]}: no such file or folder: run `dvc repro calibrate@{task}`, or give --base, --model and "
                "--calibrated"
            )
        of_threshold, trained_on = read_json(self.calibrated).get("variant"), read_record(self.model).get("variant")
        if of_threshold and trained_on and trained_on not in {of_threshold, FINAL}:
            raise InputError(
                f"{self.calibrated}: its threshold is of the variant {of_threshold!r}, and {self.model} is "
                f"of {trained_on!r}: give --calibrated with that model's threshold"
            )


@dataclass(frozen=True)
class FileCheck:
    """What a file holds.

    Attributes:
        rows: of the file.
        problems: how many rows have each problem.
        lines: what is wrong with the first of them.
        paths: how many candidates are paths of several levels.
    """

    rows: int
    problems: Mapping[str, int]
    lines: list[str]
    paths: int = 0

    @property
    def bad(self) -> int:
        """Rows that can't be scored."""
        return sum(self.problems.values())

    def summary_lines(self) -> list[str]:
        """The bad rows for the user; nothing where there are none."""
        if not self.bad:
            return []
        reasons = ", ".join(f"{problem} {count:,}" for problem, count in sorted(self.problems.items()))
        total = f"{self.bad:,} of {self.rows:,} rows can't be scored ({self.bad / self.rows:.2%}): {reasons}"
        return [f"{total}; the first {len(self.lines)}:", *self.lines]


def path_warnings(checked: FileCheck, trained_share: float | None) -> list[str]:
    """A line where the candidates have no levels although those that the model was trained on had.

    Args:
        checked: what the file holds.
        trained_share: of the training rows, those whose candidate has levels; None of a model that doesn't say.
    """
    share = checked.paths / max(checked.rows - checked.bad, 1)
    if trained_share is None or share >= trained_share * LOST_LEVELS:
        return []
    return [
        f"check: {percent(share)} of the candidates have levels, but {percent(trained_share)} of those that the model "
        "was trained on: is the mark between levels another one? --path-separator MARK says it"
    ]


def result_warnings(calibrated: Path) -> list[str]:
    """What the model's results warn of, where the stage `evaluate` wrote them beside the metrics of `calibrate`."""
    evaluated = calibrated.parent.parent / "evaluate" / calibrated.name
    return [f"check: {warning}" for warning in warnings(read_json(evaluated))] if evaluated.is_file() else []


def run(pairs: PairFile, out: Path, trained: ModelFiles, max_bad_share: float) -> Iterator[str]:
    """Score a file, and write `out`.

    Args:
        pairs: the file.
        out: see `write_answers`.
        trained: the model and its calibration.
        max_bad_share: of rows that can't be scored.

    Yields:
        Lines for the user, as they are known.

    Raises:
        InputError: as `check_file`; the model was trained on another base, or another run does this very work.
    """
    yield from pairs.summary_lines()
    yield from result_warnings(trained.calibrated)
    calibration = Calibration.of(read_json(trained.calibrated))
    limit = prompt_limit(trained.base, trained.model, pairs.task)
    if kind_of(trained.model) == "lm":
        check_base(base_lm(trained.base), trained.model)
    checked = check_file(pairs, limit, max_bad_share)
    yield from checked.summary_lines()
    yield from path_warnings(checked, read_record(trained.model).get("path_share"))
    key = (pairs.path, pairs.task, pairs.settings, pairs.kept, trained.base, trained.model, trained.settings)
    with partial_work("score_file", *key, wait=False) as done:
        scorer = load_scorer(trained.base, trained.model, trained.settings, done / VECTORS)
        write_answers(score_file(pairs, checked.rows, limit, scorer, done), calibration, out)
    yield f"{out}: {checked.rows:,} rows, {checked.rows - checked.bad:,} scored"


def check_file(pairs: PairFile, limit: TooLong, max_bad_share: float) -> FileCheck:
    """Read all of a file, and find what can't be scored.

    Raises:
        InputError: the file can't be read to its end, or more rows are bad than `max_bad_share`: their count, and what
            is wrong with the first of them, with its row and the fix.
    """
    rows, paths, problems, lines = 0, 0, Counter[str](), list[str]()
    with tqdm(desc=f"read {pairs.path.name}", unit="pair", delay=2) as bar:
        for records in pairs.records():
            cleaned = pairs.parsed(records, limit)
            paths += int(
                cleaned.filter(pl.col("reason").is_null())["candidate"].str.contains(LEVEL, literal=True).sum()
            )
            dropped = pairs.dropped(cleaned)
            problems.update(dropped["reason"].to_list())
            lines += described(dropped, SHOWN - len(lines))
            rows += records.height
            bar.update(records.height)
    checked = FileCheck(rows, problems, lines, paths)
    if checked.bad > max_bad_share * rows:
        fix = "correct them, or the columns (--column), or allow more (--max-bad-share)"
        raise InputError("\n".join([f"{pairs.path}: {checked.summary_lines()[0]}", *lines, fix]))
    return checked


def score_file(
    pairs: PairFile,
    total: int,
    limit: TooLong,
    scorer: AbstractContextManager[Scorer],
    done: Path,
) -> list[Path]:
    """p(yes) of all rows of a file, in its order; memory does not grow with it.

    Args:
        pairs: the file.
        total: its rows.
        limit: which rows no prompt can hold.
        scorer: the model, which is loaded here.
        done: folder for this very run's finished blocks, from which a run that was killed goes on.

    Returns:
        Files of `done`, one a block, of what `PairFile.parsed` has and `p_yes`, null where a row has a problem.
    """
    parts: list[Path] = []
    with scorer as loaded, tqdm(total=total, desc="score", unit="pair") as bar:
        for number, records in enumerate(joined(pairs.records(), loaded.chunk)):
            part = done / f"{number:08}.parquet"
            if not part.is_file():
                write_table(part, scored(pairs.parsed(records, limit), pairs.task, loaded))
                shutil.rmtree(done / VECTORS, ignore_errors=True)  # no other block has these lists of texts
            parts.append(part)
            bar.update(records.height)
    return parts


def joined(blocks: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The blocks in their order, so many of them at once that they have `rows` rows, but for the last."""
    some: list[pl.DataFrame] = []
    for block in blocks:
        some.append(block)
        if sum(one.height for one in some) >= rows:
            yield pl.concat(some)
            some = []
    if some:
        yield pl.concat(some)


def scored(rows: pl.DataFrame, task: str, scorer: Scorer) -> pl.DataFrame:
    """The rows with `p_yes`, null where one has a problem; the best order for the scorer is taken within them."""
    sound = rows["reason"].is_null()
    sound_rows = rows.filter(sound).select(
        pl.lit(task).alias("task"), "language", "query", "candidate", id=pl.format("row {}", "row")
    )
    column = np.full(rows.height, np.nan)
    if sound_rows.height:
        prompts = scorer.encode(sound_rows)
        order = scorer.order(prompts)
        p_yes = np.empty(sound_rows.height)
        p_yes[order] = scorer.score(prompts[order])
        column[sound.to_numpy()] = p_yes
    return rows.with_columns(p_yes=pl.Series(column, dtype=pl.Float64).fill_nan(None))


def prompt_limit(base: Path, model: Path, task: str) -> TooLong:
    """Which rows no prompt of a model can hold, even with an empty candidate.

    Args:
        base: see `load_scorer`.
        model: folder of what was trained; to others than an LM no row is too long.
        task: `qc` or `qi`.
    """
    if kind_of(model) != "lm":
        return lambda rows: pl.repeat(value=False, n=rows.height, dtype=pl.Boolean, eager=True)
    prompt = read_json(model / "prompt.json")
    template, tokenizer = parse(prompt["template"], str(model / "prompt.json")), load_tokenizer(base_lm(base))
    return lambda rows: too_long(rows.with_columns(task=pl.lit(task)), template, tokenizer, prompt["max_length"])
