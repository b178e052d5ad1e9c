"""The results of the last run as a table: `babelshelf show`, and the table of the README.

`table` and `markdown` read `summarize.json` and `evaluate/<task>.json` in the folder of metrics, so that what they show
is always what the last run measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.core.variants import chain
from babelshelf.evaluate.metric_names import HEADINGS
from babelshelf.evaluate.warnings import all_yes_margin, further
from babelshelf.llm.params import NANO
from babelshelf.page.cells import NONE, percent, share
from babelshelf.summarize.summary import read_evaluated

BEGIN = "<!-- results: begin -->"
END = "<!-- results: end -->"

PARTS = {"all": "all", "in_train": "in train", "absent": "absent"}  # from train


def table(metrics: Path) -> Table:
    """The results of the folder `metrics`, to be printed by rich: a line a metric, so that any number of them fits."""
    caption = f"F1 average: {_f1_average(metrics)}"
    result = Table(title="Results on test", caption=caption, box=box.SIMPLE_HEAD, padding=0)
    result.add_column("")
    for task, languages in columns(metrics):
        result.add_column(f"{task}\n{languages}", justify="right")
    for line in lines(metrics):
        result.add_row(*line)
    return result


def markdown(metrics: Path) -> str:
    """The same table as Markdown, with the F1 average below."""
    headings = ["", *(f"{task} {languages}" for task, languages in columns(metrics))]
    rule = [":--", *("--:" for _ in headings[1:])]
    rows = ["| " + " | ".join(cells) + " |" for cells in (headings, rule, *lines(metrics))]
    return "\n".join([*rows, "", f"F1 average: **{_f1_average(metrics)}**"])


def meanings(metrics: Path, params: dict[str, Any]) -> list[str]:
    """What the table means, some sentences a task, and a line for each warning; `params` are all of params.yaml."""
    lines = []
    for task, values in _all_evaluated(metrics).items():
        lines += [meaning(task, values, params), *(f"check: {task}: {warning}" for warning in further(values))]
    return lines


def meaning(task: str, evaluated: dict[str, Any], params: dict[str, Any]) -> str:
    """Whether F1 is above that of answering "yes" to every pair, and what to do where it is not.

    Args:
        task: `qc` or `qi`.
        evaluated: what `evaluate` wrote of the task.
        params: all of params.yaml, for the advice.
    """
    behind = [part for part in ("all", "absent") if part in evaluated and all_yes_margin(evaluated[part]) <= 0]
    shown = " and ".join(_compared(part, evaluated[part]) for part in ("all", "absent") if part in evaluated)
    return f"{task}: {shown}.{_advice(task, behind, params)}"


def _compared(part: str, values: dict[str, float]) -> str:
    """One part's F1 beside that of all-"yes"; only an interval that lies above it counts as above."""
    is_above = "is above" if all_yes_margin(values) > 0 else "is not clearly above"
    where = "F1" if part == "all" else "in languages absent from train F1"
    numbers = f"{_interval(values)} against {percent(values['all_yes_f1'])}"
    return f'{where} {is_above} answering "yes" to every pair ({numbers})'


def _advice(task: str, behind: Sequence[str], params: dict[str, Any]) -> str:
    if not behind:
        return ""
    if behind == ["absent"]:
        if "translated" in chain(params["tasks"][task]):
            return " In the absent languages, translate more of the queries (translate.glossary, or another backend)."
        return (
            f" To improve on the absent languages, translate into them (translate.languages) and set tasks.{task}."
            "train_on to a variant with translations."
        )
    if params["tasks"][task]["method"] == "classifier":
        return (
            " The classifier has learned little: look at the labels (make data-report), add labelled pairs, or apply a "
            "profile with a pre-trained LM (`babelshelf profile small`)."
        )
    if params["base_model"]["lm"]["model"] == NANO:
        return (
            f" The built-in LM knows only words of the catalogue: set tasks.{task}.method to classifier, or apply a "
            "profile with a pre-trained LM (`babelshelf profile small`)."
        )
    return " The model has learned little: add labelled pairs, train longer, or set a larger base_model.lm."


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


def columns(metrics: Path) -> list[tuple[str, str]]:
    """Task and languages of each column of numbers."""
    return [(task, languages) for task, languages, *_ in _rows(metrics)]


def lines(metrics: Path) -> list[list[str]]:
    """A line for each metric that the last run has: its heading, then its value in each of `columns`."""
    headings = score_headings(next(iter(_all_evaluated(metrics).values()))["confidence"])
    by_metric = zip(headings, *(numbers for _, _, *numbers in _rows(metrics)), strict=True)
    return [[heading, *cells] for heading, *cells in by_metric if set(cells) != {NONE}]


def _rows(metrics: Path) -> list[list[str]]:
    return [row for task, values in _all_evaluated(metrics).items() for row in task_rows(task, values)]


def task_rows(task: str, evaluated: dict[str, Any]) -> list[list[str]]:
    """Task, languages and numbers, for all languages, those in train and those absent, of what `evaluate` wrote."""
    return [
        _row(task, name, evaluated[part], evaluated["threshold"]) for part, name in PARTS.items() if part in evaluated
    ]


def _row(task: str, languages: str, values: dict[str, float], threshold: float) -> list[str]:
    f1, *others = (share(values.get(name)) for name in HEADINGS)
    interval = _interval(values)
    return [task, languages, f1, interval, *others, f"{threshold:.3f}"]


def score_headings(confidence: float) -> list[str]:
    """Headings of the numbers of `task_rows`: `confidence` is that of the interval of F1, such as 0.95."""
    f1, *others = HEADINGS.values()
    return [f1, f"{100 * confidence:g} % interval", *others, "Threshold"]


def _all_evaluated(metrics: Path) -> dict[str, dict[str, Any]]:
    return {task: read_evaluated(metrics / "evaluate", task) for task in _summarized(metrics)["tasks"]}


def _summarized(metrics: Path) -> dict[str, Any]:
    file = metrics / "summarize.json"
    if not file.is_file():
        raise InputError(f"{file}: no such file; run `dvc repro summarize`")
    return read_json(file)


def _f1_average(metrics: Path) -> str:
    return percent(_summarized(metrics)["f1_average"])


def _interval(values: dict[str, float]) -> str:
    return f"{percent(values['f1_low'])}–{percent(values['f1_high'])}"
