"""The results of the last run as a table: `babelshelf show`, and the table of the README.

`table` and `markdown` read `summarize.json` and `evaluate/<task>.json` in the folder of metrics, so that what they show
is always what the last run measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.table import Table

from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.summarize.summary import read_evaluated

BEGIN = "<!-- results: begin -->"


END = "<!-- results: end -->"


PARTS = {"all": "all", "in_train": "in train", "absent": "absent"}  # from train


class Row(NamedTuple):
    """One line of the table, its numbers as text."""

    task: str
    languages: str
    f1: str
    interval: str
    precision: str
    recall: str
    average_precision: str
    mcc: str
    all_yes_f1: str
    threshold: str


def table(metrics: Path) -> Table:
    """The results of the folder `metrics`, to be printed by rich."""
    lines = rows(metrics)
    caption = f"F1 average: {_f1_average(metrics)}"
    result = Table(title="Results on test", caption=caption, box=box.SIMPLE_HEAD, padding=0)
    for name in _headings(metrics):
        result.add_column(name, justify="left" if name in {"Task", "Languages"} else "right")
    for i, line in enumerate(lines):
        result.add_row(*line, end_section=i + 1 < len(lines) and lines[i + 1].task != line.task)
    return result


def markdown(metrics: Path) -> str:
    """The same table as Markdown, with the F1 average below."""
    headings = _headings(metrics)
    rule = [":--" if name in {"Task", "Languages"} else "--:" for name in headings]
    lines = ["| " + " | ".join(cells) + " |" for cells in (headings, rule, *rows(metrics))]
    return "\n".join([*lines, "", f"F1 average: **{_f1_average(metrics)}**"])


def with_results(readme: str, metrics: Path) -> str:
    """The text of a README with the results between its two markers; a README that is up to date comes back unchanged.

    Raises:
        InputError: a marker is missing.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"README.md: expected the lines {BEGIN} and {END}, in this order")
    return f"{before}{BEGIN}\n\n{markdown(metrics)}\n\n{END}{after}"


def rows(metrics: Path) -> list[Row]:
    """The lines of the table: `task_rows` of each task."""
    return [row for task, values in _all_evaluated(metrics).items() for row in task_rows(task, values)]


def task_rows(task: str, evaluated: dict[str, Any]) -> list[Row]:
    """A line each for all languages, those in train and those absent from it, of what `evaluate` wrote."""
    return [
        _row(task, name, evaluated[part], evaluated["threshold"]) for part, name in PARTS.items() if part in evaluated
    ]


def _row(task: str, languages: str, values: dict[str, float], threshold: float) -> Row:
    return Row(
        task,
        languages,
        _percent(values["f1"]),
        f"{_percent(values['f1_low'])}–{_percent(values['f1_high'])}",
        _percent(values["precision"]),
        _percent(values["recall"]),
        _percent(values["average_precision"]),
        _percent(values["mcc"]),
        _percent(values["all_yes_f1"]),
        f"{threshold:.3f}",
    )


def _headings(metrics: Path) -> list[str]:
    confidence = next(iter(_all_evaluated(metrics).values()))["confidence"]
    interval = f"{100 * confidence:g} % interval"
    return ["Task", "Languages", "F1", interval, "Precision", "Recall", "AP", "MCC", 'All "yes" F1', "Threshold"]


def _all_evaluated(metrics: Path) -> dict[str, dict[str, Any]]:
    return {task: read_evaluated(metrics / "evaluate", task) for task in _summarized(metrics)["tasks"]}


def _summarized(metrics: Path) -> dict[str, Any]:
    file = metrics / "summarize.json"
    if not file.is_file():
        raise InputError(f"{file}: no such file; run `dvc repro summarize`")
    return read_json(file)


def _f1_average(metrics: Path) -> str:
    return _percent(_summarized(metrics)["f1_average"])


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"
