"""Write the tables of the README and the docs that come from the committed results of benchmarks.

    python -m benchmarks.tables          # or make results

A table stands between two comments, `<!-- NAME -->` and `<!-- /NAME -->`. A test compares each with what its results
file gives, so a table is changed by running its benchmark, never by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from babelshelf.core.files import replacing
from benchmarks import label_tables
from benchmarks.proxy_truth import agreement, text
from benchmarks.proxy_truth.data_sets import NONE
from benchmarks.proxy_truth.results import RESULTS, read_results

CALIBRATION = Path("benchmarks/results/calibration.jsonl")
CONFIRMATION = Path("benchmarks/results/rule_confirmation.jsonl")
LM_LABEL_ERRORS = Path("benchmarks/results/lm_label_errors.jsonl")
UNLABELLED = Path("benchmarks/results/review_unlabelled.jsonl")
DISTILLATION = Path("benchmarks/results/distill.jsonl")
TRIALS = Path("benchmarks/results/distill_trials.jsonl")
JUDGES = Path("benchmarks/results/judges.jsonl")
LABELS = "labels"  # what `benchmarks.distill` trains students on
UNTUNED = "untuned"
SETTING_NAMES = {
    UNTUNED: "nothing: its head is random",
    LABELS: "labels alone",
    "rows": "labels and the teacher's scores of their rows",
    "teacher": "labels and the teacher's scores, unlabelled pairs too",
    "logged": "labels, and the teacher's scores of logged pairs",
}
BCE = "bce"
CHOOSING_SEED = 1  # with which all learning rates were run: the best of more seeds would be the luckiest
LOSS_NAMES = {BCE: "", "margin_mse": ", margin-MSE"}
SPEED_DATA = "shops"  # whose models `benchmarks.distill_speed` times
LM, BUILT_IN_LM, CLASSIFIER = "gemma-3-270m", "built-in-lm", "classifier"
# Title, model and recipe of `benchmarks.proxy_truth`.
ON_REAL_PAIRS = (
    ("classifier", CLASSIFIER, "none"),
    ("classifier, flipped", CLASSIFIER, "flipped"),
    ("classifier, flipped, filtered", CLASSIFIER, "flipped-confident"),
    ("Gemma", LM, "none"),
    ("Gemma, flipped", LM, "flipped"),
    ("Gemma, flipped, filtered", LM, "flipped-confident"),
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
        Table(Path("docs/results.md"), "found", lambda: label_tables.found(read_results(label_tables.LABEL_ERRORS))),
        Table(Path("docs/results.md"), "rules", lambda: label_tables.confirmed(read_results(CONFIRMATION))),
        Table(
            Path("docs/negative-results.md"), "lm scores", lambda: label_tables.lm_scores(read_results(LM_LABEL_ERRORS))
        ),
        Table(Path("docs/review.md"), "unlabelled", lambda: label_tables.unlabelled(read_results(UNLABELLED))),
        Table(Path("docs/results.md"), "students", lambda: students(read_results(DISTILLATION))),
        Table(
            Path("docs/results.md"),
            "learning rates of students",
            lambda: learning_rates(read_results(DISTILLATION)),
        ),
        Table(Path("docs/negative-results.md"), "ways to teach", lambda: trials(read_results(TRIALS))),
        Table(Path("docs/results.md"), "speed of students", lambda: speed_of_students(read_results(DISTILLATION))),
        *(
            Table(page, f"{name}, {metric}", partial(label_tables.filtered, metric, ways, over))
            for page, name, ways, over in (
                (Path("docs/results.md"), "filtered", label_tables.USUAL_WAYS, "gain"),
                (Path("docs/negative-results.md"), "other ways", label_tables.OTHER_WAYS, "over_usual"),
            )
            for metric in ("ap", "f1")
        ),
        Table(Path("docs/results.md"), "simulated judges", lambda: label_tables.simulated_judges(read_results(JUDGES))),
        Table(Path("docs/results.md"), "proxy_truth", lambda: list(text.lines(read_results(RESULTS)))[:-1]),
    ]


def real_pairs(results: Sequence[dict[str, Any]]) -> list[str]:
    """AP and F1 of the classifier and of a fine-tuned LM on real pairs: mean and deviation over seeds, in per cent."""
    columns = [("shops", "ap"), ("shops", "ap_absent"), ("shops", "f1"), ("taxonomy", "ap"), ("taxonomy", "ap_absent")]
    columns += [(f"all-shops{rows}", "ap") for rows in ("-3000", "", "-24000")]
    heads = ["shops: AP", "absent", "F1", "taxonomy: AP", "absent", "3,000 rows: AP", "9,000", "24,000"]
    lines = [f"| | {' | '.join(heads)} |", "| :-- " + "| --: " * len(columns) + "|"]
    for title, model, recipe in ON_REAL_PAIRS:
        runs = [run for run in results if (run["model"], run["recipe"]) == (model, recipe)]
        cells = [
            text.mean_and_deviation([run[metric] for run in runs if run["data"] == data]) for data, metric in columns
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
            "" if name not in line or line["method"] == "shared" else label_tables.points(line[name])
            for name in ("gain", "gain_absent")
        ]
        f1, error = f"{100 * line['f1']:.1f}", f"{100 * line['calibration_error']:.1f}"
        lines.append(f"| {line['data']} | {line['dev_rows']:,} | {method} | {f1} | {' | '.join(gains)} | {error} |")
    return lines


def students(results: Sequence[dict[str, Any]]) -> list[str]:
    """AP and F1 of a teacher and of its students, and what a student gains in AP over labels alone, in per cent.

    A margin-MSE student is compared with the same student on labels alone by binary cross-entropy.
    """
    runs = _at_chosen_rate([line for line in results if line["kind"] == "quality"])
    lines = [
        "| data | model | trained on | seeds | AP | gain | AP, absent | gain, absent | F1 |",
        "| :-- | :-- | :-- | --: | --: | --: | --: | --: | --: |",
    ]
    data_sets = list(dict.fromkeys(run["data"] for run in runs))
    kinds = sorted(
        dict.fromkeys(map(_kind_of_student, runs)), key=lambda kind: (data_sets.index(kind[0]), kind[2], kind[3])
    )
    for data, model, steps, loss in kinds:
        of_loss = [run for run in runs if _kind_of_student(run) == (data, model, steps, loss)]
        of_bce = [run for run in runs if _kind_of_student(run)[:3] == (data, model, steps) and _is_bce(run)]
        name = model.replace("_", "-") + (f", {steps:,} steps" if steps else "") + LOSS_NAMES[loss]
        for setting in [way for way in SETTING_NAMES if any(run["setting"] == way for run in of_loss)]:
            own = [run for run in of_loss if run["setting"] == setting]
            cells = [data, name, SETTING_NAMES[setting], *_of_setting(own, of_bce, setting)]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _kind_of_student(run: dict[str, Any]) -> tuple[str, str, int, str]:
    """Data set, model, number of steps (0: that of `benchmarks.distill`) and loss."""
    return run["data"], run["model"], run.get("steps", 0), run.get("loss", BCE)


def _is_bce(run: dict[str, Any]) -> bool:
    return bool(run.get("loss", BCE) == BCE)


def _at_chosen_rate(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the cross-encoders of `benchmarks.cross_encoders` whose learning rate another one beats on dev."""
    chosen: dict[tuple[str, int], dict[str, Any]] = {}
    for run in runs:
        key = run["data"], run.get("steps", 0)
        if (run["setting"], run["seed"]) != (LABELS, CHOOSING_SEED) or not _is_bce(run):
            continue
        if key not in chosen or run.get("ap_dev", 0) > chosen[key].get("ap_dev", 0):
            chosen[key] = run
    return [
        run for run in runs if run.get("learning_rate") == chosen[run["data"], run.get("steps", 0)].get("learning_rate")
    ]


def learning_rates(results: Sequence[dict[str, Any]]) -> list[str]:
    """AP on dev, by which a learning rate was chosen, and on test, of cross-encoders on *shops*, in per cent."""
    runs = [
        line
        for line in results
        if "steps" in line and (line["data"], line["setting"], line["seed"]) == (SPEED_DATA, LABELS, CHOOSING_SEED)
    ]
    lines = ["| learning rate | AP on dev | AP on test |", "| --: | --: | --: |"]
    by_steps = Counter(run["steps"] for run in runs)  # with other steps no rate was chosen
    for run in sorted(runs, key=lambda run: run["learning_rate"]):
        if by_steps[run["steps"]] == 1:
            continue
        levels = " | ".join(f"{100 * run[name]:.1f}" for name in ("ap_dev", "ap"))
        lines.append(f"| {np.format_float_positional(run['learning_rate'])} | {levels} |")
    return lines


def trials(results: Sequence[dict[str, Any]]) -> list[str]:
    """AP of the classifier by other ways to teach it, and what it gains over labels alone, in per cent."""
    lines = ["| taught by | AP on dev | AP on test | gain on test |", "| :-- | --: | --: | --: |"]
    (before,) = [line for line in results if line["trial"] == LABELS]
    for line in results:
        both = [before | {"recipe": NONE}, line | {"recipe": line["trial"]}]
        gain = "" if line is before else _first_gain(agreement.gains(both, "ap"))
        lines.append(f"| {line['trial']} | {100 * line['ap_dev']:.1f} | {100 * line['ap']:.1f} | {gain} |")
    return lines


def _of_setting(own: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]], setting: str) -> list[str]:
    """The cells of a setting of one model: seeds, AP, its gain, both of absent languages, and F1.

    Args:
        own: its runs.
        others: runs among which are those of labels alone; of these, those with the seeds of `own` are compared.
        setting: its name.
    """
    seeds = {run["seed"] for run in own}
    before = [run for run in others if run["setting"] == LABELS and run["seed"] in seeds]
    both = [run | {"recipe": NONE} for run in before] + [run | {"recipe": setting} for run in own]
    cells = [str(len(own))]
    for name in ("ap", "ap_absent"):
        known = name in own[0]
        cells.append(text.mean_and_deviation([run[name] for run in own if known]))
        gains = known and setting not in (UNTUNED, LABELS)
        cells.append(_first_gain(agreement.gains(both, name)) if gains else "")
    return [*cells, text.mean_and_deviation([run["f1"] for run in own])]


def _first_gain(gains: agreement.Gains) -> str:
    low, high = gains.bounds[:, 0]
    return f"{gains.value[0]:+.1f} [{low:+.1f}, {high:+.1f}]"


def speed_of_students(results: Sequence[dict[str, Any]]) -> list[str]:
    """Pairs a second of CPU time of a teacher and of its students, their AP, and what an export's AP gains over it."""
    runs = [line for line in results if line["kind"] == "speed"]
    of_models = {
        (line["model"], line["setting"], line["seed"]): line
        for line in results
        if line["kind"] == "quality" and line["data"] == SPEED_DATA and "steps" not in line
    }
    (of_teacher,) = [run["pairs"] / run["seconds"] for run in runs if run["model"] == "teacher"]
    lines = [
        "| model | pairs/s | times the teacher | AP | gain over PyTorch in fp32 |",
        "| :-- | --: | --: | --: | --: |",
    ]
    for run in runs:
        model = of_models[run["model"].partition(", ONNX")[0], run["setting"], run["seed"]]
        name = run["model"].replace("_", "-") + (f", {UNTUNED}" if run["setting"] == UNTUNED else "")
        speed, exported = run["pairs"] / run["seconds"], "ap" in run
        both = [model | {"recipe": NONE}, run | {"recipe": name}]
        gain = _first_gain(agreement.gains(both, "ap")) if exported else ""
        level = text.mean_and_deviation([(run if exported else model)["ap"]])
        lines.append(f"| {name} | {speed:,.0f} | {speed / of_teacher:,.1f} | {level} | {gain} |")
    return lines


def with_table(page: str, table: Table) -> str:
    """The text of a page with the table as it is now.

    Raises:
        ValueError: the page has no such comments.
    """
    before, begin, rest = page.partition(f"<!-- {table.name} -->\n")
    _, end, after = rest.partition(f"<!-- /{table.name} -->")
    if not begin or not end:
        raise ValueError(f"{table.page} has no <!-- {table.name} --> ... <!-- /{table.name} -->")
    return "\n".join([f"{before}{begin}", *table.lines(), "", f"{end}{after}"])


@click.command(help=__doc__)
def main() -> None:
    for table in tables():
        written = with_table(table.page.read_text(encoding="utf-8"), table)
        with replacing(table.page) as temporary:
            temporary.write_text(written, encoding="utf-8")
        click.echo(f"{table.page}: {table.name}")


if __name__ == "__main__":
    main()
