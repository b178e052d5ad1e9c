"""Write the tables of the README and the docs that come from the committed results of benchmarks.

    python -m benchmarks.tables          # or make results

A table stands between two comments, `<!-- NAME -->` and `<!-- /NAME -->`. A test compares each with what its results
file gives, so a table is changed by running its benchmark, never by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from babelshelf.core.files import replacing
from benchmarks.proxy_truth import agreement
from benchmarks.proxy_truth.results import RESULTS, read_results

CALIBRATION = Path("benchmarks/results/calibration.jsonl")
LM, BUILT_IN_LM, CLASSIFIER = "gemma-3-270m", "built-in-lm", "classifier"
# Title, model and recipe of `benchmarks.proxy_truth`.
ON_REAL_PAIRS = (
    ("classifier", CLASSIFIER, "none"),
    ("classifier, all data steps", CLASSIFIER, "all"),
    ("classifier, wrong labels", CLASSIFIER, "flipped"),
    ("Gemma 3 270M, LoRA", LM, "none"),
    ("Gemma 3 270M, LoRA, all data steps", LM, "all"),
    ("Gemma 3 270M, LoRA, wrong labels", LM, "flipped"),
    ("built-in LM", BUILT_IN_LM, "none"),
)


class Table(NamedTuple):
    """A table of a page.

    Attributes:
        page: of the repository.
        name: in the comments around it.
        lines: its Markdown.
    """

    page: Path
    name: str
    lines: Callable[[], Iterable[str]]


def tables() -> list[Table]:
    """All tables that this module writes."""
    return [
        Table(Path("README.md"), "real pairs", lambda: real_pairs(read_results(RESULTS))),
        Table(Path("docs/results.md"), "calibration", lambda: calibration(read_results(CALIBRATION))),
        Table(Path("docs/results.md"), "proxy_truth", lambda: list(agreement.lines(read_results(RESULTS)))[:-1]),
    ]


def real_pairs(results: Sequence[dict[str, Any]]) -> list[str]:
    """AP of the classifier and of a fine-tuned LM on two real data sets: mean and deviation over seeds, in per cent."""
    data_sets = sorted({result["data"] for result in results})
    columns = [(data, metric) for data in data_sets for metric in ("ap", "ap_absent", "f1")]
    heads = [f"{data} {text}" for data in data_sets for text in ("AP", "AP, absent", "F1")]
    lines = [f"| | {' | '.join(heads)} |", "| :-- " + "| --: " * len(columns) + "|"]
    for title, model, recipe in ON_REAL_PAIRS:
        runs = [run for run in results if (run["model"], run["recipe"]) == (model, recipe)]
        cells = [
            agreement.mean_and_deviation([run[metric] for run in runs if run["data"] == data])
            for data, metric in columns
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def calibration(results: Sequence[dict[str, Any]]) -> list[str]:
    """F1 and calibration error of each calibration method, and the gain over a shared threshold, in per cent."""
    lines = [
        "| data | dev rows | method | F1 | gain in F1 | gain in absent languages | calibration error |",
        "| :-- | --: | :-- | --: | --: | --: | --: |",
    ]
    for line in results:
        method = f"auto ({', '.join(line['chosen'])})" if "chosen" in line else line["method"]
        gains = [
            "" if name not in line or line["method"] == "shared" else _points(line[name])
            for name in ("gain", "gain_absent")
        ]
        f1, error = f"{100 * line['f1']:.1f}", f"{100 * line['calibration_error']:.1f}"
        lines.append(f"| {line['data']} | {line['dev_rows']:,} | {method} | {f1} | {' | '.join(gains)} | {error} |")
    return lines


def _points(gain: Sequence[float]) -> str:
    value, low, high = (100 * number for number in gain)
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


def with_table(text: str, table: Table) -> str:
    """The text of a page with the table as it is now.

    Raises:
        ValueError: the page has no such comments.
    """
    before, begin, rest = text.partition(f"<!-- {table.name} -->\n")
    _, end, after = rest.partition(f"<!-- /{table.name} -->")
    if not begin or not end:
        raise ValueError(f"{table.page} has no <!-- {table.name} --> ... <!-- /{table.name} -->")
    return "\n".join([f"{before}{begin}", *table.lines(), "", f"{end}{after}"])


@click.command(help=__doc__)
def main() -> None:
    for table in tables():
        written = with_table(table.page.read_text(encoding="utf-8"), table)
        with replacing(table.page) as partial:
            partial.write_text(written, encoding="utf-8")
        click.echo(f"{table.page}: {table.name}")


if __name__ == "__main__":
    main()
