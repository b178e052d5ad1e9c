"""The results of the last run as a table: `babelshelf show`, and the table of the README.

`table` and `markdown` read `summarize.json` and `evaluate/<task>.json` in the folder of metrics, so that what they show
is always what the last run measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.evaluate.metric_names import HEADINGS
from babelshelf.summarize.summary import read_evaluated

BEGIN = "<!-- results: begin -->"
END = "<!-- results: end -->"

PARTS = {"all": "all", "in_train": "in train", "absent": "absent"}  # from train


def table(metrics: Path) -> Table:
    """The results of the folder `metrics`, to be printed by rich."""
    lines = rows(metrics)
    caption = f"F1 average: {_f1_average(metrics)}"
    result = Table(title="Results on test", caption=caption, box=box.SIMPLE_HEAD, padding=0)
    for name in _headings(metrics):
        result.add_column(name, justify="left" if name in {"Task", "Languages"} else "right")
    for i, line in enumerate(lines):
        result.add_row(*line, end_section=i + 1 < len(lines) and lines[i + 1][0] != line[0])
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


def rows(metrics: Path) -> list[list[str]]:
    """The lines of the table: `task_rows` of each task."""
    return [row for task, values in _all_evaluated(metrics).items() for row in task_rows(task, values)]


def task_rows(task: str, evaluated: dict[str, Any]) -> list[list[str]]:
    """A line each for all languages, those in train and those absent from it, of what `evaluate` wrote."""
    return [
        _row(task, name, evaluated[part], evaluated["threshold"]) for part, name in PARTS.items() if part in evaluated
    ]


def _row(task: str, languages: str, values: dict[str, float], threshold: float) -> list[str]:
    f1, *others = (_percent(values[name]) for name in HEADINGS)
    interval = f"{_percent(values['f1_low'])}–{_percent(values['f1_high'])}"
    return [task, languages, f1, interval, *others, f"{threshold:.3f}"]


def score_headings(confidence: float) -> list[str]:
    """Headings of the numbers of `task_rows`: `confidence` is that of the interval of F1, such as 0.95."""
    f1, *others = HEADINGS.values()
    return [f1, f"{100 * confidence:g} % interval", *others, "Threshold"]


def _headings(metrics: Path) -> list[str]:
    confidence = next(iter(_all_evaluated(metrics).values()))["confidence"]
    return ["Task", "Languages", *score_headings(confidence)]


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
