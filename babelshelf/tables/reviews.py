"""Decisions of people on pairs: `reviews/<task>/<name>.jsonl`, a file a person and task, kept in git.

`babelshelf review` appends to a person's file, and the stage `filter` reads all files of a task. A line is JSON:

    {"language": "de", "query": "...", "candidate": "...", "label": 1, "was": 0, "at": "2026-01-31T12:00:00Z"}

`label` is what the person decided (1 relevant, 0 not, null unsure), `was` the label that the pair had. The pair
(language, query, candidate) is the key: ids of rows change with the data. A person's last line on a pair counts, and

    {"undo": true, "language": "de", "query": "...", "candidate": "...", "at": "2026-01-31T12:00:09Z"}

takes the person's last decision on the pair back.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import polars as pl
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from babelshelf.core.errors import InputError
from babelshelf.core.rows import ROW_SCHEMA, read_rows

PAIR = ("language", "query", "candidate")
DECISION_SCHEMA = pl.Schema(
    {
        "reviewer": pl.String(),  # the file's name without its suffix
        "language": pl.String(),
        "query": pl.String(),
        "candidate": pl.String(),
        "label": pl.Int8(),  # 1 relevant, 0 not, null unsure
        "was": pl.Int8(),  # the label that the pair had; null: none
        "at": pl.Datetime("us", "UTC"),  # when
    }
)
REVIEWED_DEV = "reviewed_dev.parquet"  # of a filtered training set: rows of dev that people have labelled
VOTES = {"yes": 1, "no": 0, "unsure": None}

_Text = Annotated[str, StringConstraints(min_length=1)]
_Label = Annotated[int, Field(ge=0, le=1)] | None


class ReviewedPair(BaseModel):
    """What each line has; texts are NFC, as those of rows are."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    language: _Text
    query: _Text
    candidate: _Text
    at: AwareDatetime

    @property
    def key(self) -> tuple[str, str, str]:
        """The pair."""
        query, candidate = (unicodedata.normalize("NFC", text) for text in (self.query, self.candidate))
        return self.language, query, candidate


class Decision(ReviewedPair):
    """A line with a decision."""

    label: _Label
    was: _Label


class Undo(ReviewedPair):
    """A line that takes a decision back."""

    undo: Literal[True]


def now() -> datetime:
    """The time for a new line."""
    return datetime.now(UTC).replace(microsecond=0)


def reviewer_name(text: str) -> str:
    """A person's name as the name of a file on any system: lower case, no accents, no spaces.

    Raises:
        InputError: nothing of it is left.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c)[0] != "M")
    name = re.sub(r"[^\w]+", "-", unicodedata.normalize("NFC", plain).casefold()).strip("-_")
    if not name:
        raise InputError(f"{text!r} has no letters for the name of a file: give another name by --name")
    return name


def append_line(file: Path, line: Decision | Undo) -> None:
    """Append a line to a person's file; when this returns, the line is on the disk and outlives a kill.

    An unfinished last line, which a crash of the machine may leave, is removed. One process at a time may write a file:
    the caller holds a lock.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    is_new = not file.exists()
    with file.open("ab") as stream:
        stream.write(
            _repaired(file, stream) + json.dumps(line.model_dump(mode="json"), ensure_ascii=False).encode() + b"\n"
        )
        stream.flush()
        os.fsync(stream.fileno())
    if is_new:
        _sync_folder(file.parent)


def read_reviews(folder: Path) -> pl.DataFrame:
    """The decisions that count: one for each person and pair, in the order of files and lines.

    Args:
        folder: `reviews/<task>`; files that do not end in `.jsonl` are skipped. Without a folder there are none.

    Returns:
        A table of `DECISION_SCHEMA`.

    Raises:
        InputError: a line is no JSON object of the expected keys, or takes back a decision that is not there.
    """
    rows = [
        {"reviewer": file.stem, **dict(zip(PAIR, pair, strict=True))}
        | decision.model_dump(include={"label", "was", "at"})
        for file in sorted(folder.glob("*.jsonl"))
        for pair, decision in read_person(file).items()
    ]
    return pl.DataFrame(rows, schema=DECISION_SCHEMA)


def read_person(file: Path) -> dict[tuple[str, str, str], Decision]:
    """A person's decisions by pair; errors as in `read_reviews`. A missing file has none."""
    decisions: dict[tuple[str, str, str], list[Decision]] = {}
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        parsed = _parse(line, f"{file}, line {number}")
        earlier = decisions.pop(parsed.key, [])  # the pair's last line decides on its place in the order
        if isinstance(parsed, Decision):
            decisions[parsed.key] = [*earlier, parsed]
        elif not earlier:
            raise InputError(f"{file}, line {number}: undo, but no earlier line decides on this pair: remove the line")
        elif earlier[:-1]:
            decisions[parsed.key] = earlier[:-1]
    return {pair: stack[-1] for pair, stack in decisions.items()}


def agreed(decisions: pl.DataFrame) -> pl.DataFrame:
    """What people say of each pair, by majority.

    Args:
        decisions: of `read_reviews`.

    Returns:
        A row for each pair, in the order of the first decision on it: `PAIR`; `label` (Int8), that of more than half of
        the people who decided on the pair, null where there is none such or most are unsure; and `yes`, `no` and
        `unsure`, lists of the people who said so.
    """
    votes = {
        name: pl.col("reviewer").filter(pl.col("label").is_null() if label is None else pl.col("label") == label)
        for name, label in VOTES.items()
    }
    counted = decisions.group_by(PAIR, maintain_order=True).agg(**votes)
    half = pl.sum_horizontal(pl.col(name).list.len() for name in VOTES) / 2
    label = pl.when(pl.col("yes").list.len() > half).then(1).when(pl.col("no").list.len() > half).then(0)
    return counted.select(*PAIR, label=label.cast(pl.Int8), **{name: pl.col(name) for name in VOTES})


def read_reviewed_dev(folder: Path) -> pl.DataFrame:
    """The rows of dev that people have labelled, `ROW_SCHEMA`; none where the folder has no such file.

    Args:
        folder: of the training set, `data/<variant>/<task>`.
    """
    file = folder / REVIEWED_DEV
    return read_rows(file) if file.is_file() else ROW_SCHEMA.to_frame()


def agreement(decisions: pl.DataFrame) -> pl.DataFrame:
    """Agreement of each two people on the pairs that both decided on, unsure being an answer of its own.

    Args:
        decisions: of `read_reviews`.

    Returns:
        Columns `first`, `second` (people), `pairs` (that both decided on), `agreed` (how many of them alike) and
        `kappa`: Cohen's (Educational and Psychological Measurement 20(1), 1960), null where it is undefined because
        both gave one and the same answer to all. People without a common pair are left out.
    """
    from sklearn.metrics import cohen_kappa_score  # noqa: PLC0415 - slow to import

    answers = decisions.with_columns(answer=pl.col("label").fill_null(-1))
    rows = []
    for first, second in combinations(sorted(decisions["reviewer"].unique()), 2):
        one, other = (answers.filter(reviewer=name).select(*PAIR, "answer") for name in (first, second))
        both = one.join(other, on=PAIR, suffix="_other")
        if both.height:
            alike = int((both["answer"] == both["answer_other"]).sum())
            varied = pl.concat([both["answer"], both["answer_other"]]).n_unique() > 1
            kappa = float(cohen_kappa_score(both["answer"], both["answer_other"])) if varied else None
            rows.append((first, second, both.height, alike, kappa))
    schema = {"first": pl.String, "second": pl.String, "pairs": pl.Int64, "agreed": pl.Int64, "kappa": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _parse(line: bytes, where: str) -> Decision | Undo:
    try:
        value: Any = json.loads(line)
        model = Undo if isinstance(value, dict) and "undo" in value else Decision
        return model.model_validate_json(line)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"])) or "the line"
        raise InputError(f"{where}: {key}: {problem['msg']}: correct the line, or remove it") from error
    except ValueError as error:
        raise InputError(f"{where}: not JSON ({error}): correct the line, or remove it") from error


def _lines(file: Path) -> list[bytes]:
    """The lines of a file, without the unfinished one that a crash may leave at its end."""
    data = file.read_bytes() if file.is_file() else b""
    return data[: _complete_length(data)].split(b"\n")


def _complete_length(data: bytes) -> int:
    """Length of the data without an unfinished last line; JSON without a line feed after it is complete."""
    end = data.rfind(b"\n") + 1
    try:
        json.loads(data[end:])
    except ValueError:
        return end
    return len(data)


def _repaired(file: Path, stream: BinaryIO) -> bytes:
    """Remove an unfinished last line; the result is what is to be written before the next line."""
    with file.open("rb") as reader:
        if not reader.seek(0, os.SEEK_END):
            return b""
        reader.seek(-1, os.SEEK_END)
        if reader.read() == b"\n":
            return b""
    data = file.read_bytes()
    length = _complete_length(data)
    stream.truncate(length)
    return b"" if data[:length].endswith(b"\n") or not length else b"\n"


def _sync_folder(folder: Path) -> None:
    """Put a new file's name on the disk; Windows has no such call."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
