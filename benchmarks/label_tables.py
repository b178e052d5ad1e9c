"""The tables of `benchmarks.tables` about labels: which wrong ones are found, and what is gained without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.proxy_truth.results import read_results

LABEL_ERRORS = Path("benchmarks/results/label_errors.jsonl")
# Score, rule, action and rounds of `benchmarks.label_errors`.
Way = tuple[str, str, str, int]
USUAL_WAYS: dict[str, Way] = {
    **{f"confidence {least}": ("out_of_fold", f"confidence {least}", "drop", 1) for least in ("0.6", "0.75", "0.9")},
    "all flipped labels": ("out_of_fold", "oracle", "drop", 1),
}
OTHER_WAYS: dict[str, Way] = {
    "scores in sample": ("in_sample", "confidence 0.75", "drop", 1),
    "mean of scores": ("in_sample + passes", "confidence 0.75", "drop", 1),
    "other label": ("out_of_fold", "confidence 0.75", "relabel", 1),
    "score as label": ("out_of_fold", "confidence 0.75", "soften", 1),
    "second round": ("out_of_fold", "confidence 0.75", "drop", 2),
    "10 % with the largest loss": ("out_of_fold", "loss_rank 0.1", "drop", 1),
    "confident learning": ("out_of_fold", "confident_learning", "drop", 1),
}


WAY = ("score", "rule", "action", "rounds")
OVER = ("gain", "over_random")
FOUND = ("precision", "recall", "detection_ap")


def found(results: Sequence[dict[str, Any]]) -> list[str]:
    """Precision, recall and AP with which flipped labels are found, in per cent: all scores and all rules once each."""
    lines = [line for line in results if line["kind"] == "detection" and "precision" in line]
    units = list(dict.fromkeys((line["data"], line["noise"]) for line in lines))
    of = {(line["data"], line["noise"], line["score"], line["rule"]): line for line in lines}
    score, rule = USUAL_WAYS["confidence 0.75"][:2]
    ways = list(dict.fromkeys(key[2:] for key in of if score == key[2] or rule == key[3]))
    table = [
        f"| score | rule | {' | '.join(': '.join(unit) for unit in units)} |",
        "| :-- | :-- " + "| --: " * len(units) + "|",
    ]
    for way in ways:
        cells = [" / ".join(f"{100 * of[(*unit, *way)][name]:.0f}" for name in FOUND) for unit in units]
        table.append(f"| {' | '.join([*(text.replace('_', ' ') for text in way), *cells])} |")
    return table


def filtered(
    metric: str, ways: Mapping[str, Way], over: str, results: Sequence[dict[str, Any]] | None = None
) -> list[str]:
    """A metric of the classifier on all rows, and what it gains by each way to drop or change rows.

    Args:
        metric: `f1` or `ap`.
        ways: titles and what is compared.
        over: `gain`, over all rows; or `over_usual`, over the rows that the pipeline's rule leaves.
        results: those of the file by default.
    """
    lines = [line for line in results or read_results(LABEL_ERRORS) if line["kind"] == "training"]
    of = {(line["data"], line["noise"], *(line[key] for key in WAY)): line for line in lines}
    base = ("out_of_fold", "nothing", "drop", 1) if over == "gain" else USUAL_WAYS["confidence 0.75"]
    heads = [f"{metric.upper()}, {'all rows' if over == 'gain' else 'confidence 0.75'}", *ways]
    table = [f"| data | flipped | {' | '.join(heads)} |", "| :-- | :-- " + "| --: " * len(heads) + "|"]
    for unit in dict.fromkeys((line["data"], line["noise"]) for line in lines):
        level = f"{100 * of[(*unit, *base)][metric]:.1f}"
        cells = [points(of[(*unit, *way)][f"{metric}_{over}"]) if (*unit, *way) in of else "" for way in ways.values()]
        table.append(f"| {' | '.join([*unit, level, *cells])} |")
    return table


def confirmed(results: Sequence[dict[str, Any]]) -> list[str]:
    """What rules find and gain with seeds that none was chosen by, in per cent and points."""
    detection = {(one["data"], one["noise"], one["rule"]): one for one in results if one["kind"] == "detection"}
    lines = [
        "| data | flipped | rule | precision / recall | AP | over all rows | over confidence 0.75 | F1 | over all |",
        "| :-- | :-- | :-- | --: | --: | --: | --: | --: | --: |",
    ]
    for line in results:
        found = detection.get((line["data"], line["noise"], line["rule"]))
        if line["kind"] != "training" or found is None:
            continue
        shares = " / ".join(f"{100 * found[name]:.0f}" for name in FOUND[:2]) if "precision" in found else ""
        numbers = [f"{100 * line['ap']:.1f}", points(line["ap_gain"]), points(line["ap_over_usual"])]
        numbers += [f"{100 * line['f1']:.1f}", points(line["f1_gain"])]
        rule = line["rule"].replace("_", " ")
        lines.append(f"| {line['data']} | {line['noise']} | {rule} | {shares} | {' | '.join(numbers)} |")
    return lines


def lm_scores(results: Sequence[dict[str, Any]]) -> list[str]:
    """How well the scores of an LM and of the classifier find wrong labels, and what is gained, in per cent."""
    trained = {one["score"]: one for one in results if one["kind"] == "training" and one["rule"] == "loss_rank 0.1"}
    of = {(one["score"], one["rule"]): one for one in results if one["kind"] == "detection"}
    lines = [
        "| score | as many flags as wrong labels | confidence 0.75 | AP of detection | AP on test | over all rows |",
        "| :-- | --: | --: | --: | --: | --: |",
    ]
    for score in dict.fromkeys(key[0] for key in of):
        as_many, usual = of[score, "loss_rank 0.1"], of[score, "confidence 0.75"]
        cells = [f"{100 * as_many['precision']:.0f}", " / ".join(f"{100 * usual[name]:.0f}" for name in FOUND[:2])]
        cells.append(f"{100 * as_many['detection_ap']:.1f}")
        own = trained.get(score)
        cells += ["", ""] if own is None else [f"{100 * own['ap']:.1f}", points(own["ap_gain"])]
        name = "classifier out of fold" if score == "out_of_fold" else score.replace("lm ", "LM ").replace("_", " ")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def unlabelled(results: Sequence[dict[str, Any]]) -> list[str]:
    """What labels for rows without one gain, by the order in which they are reviewed, in per cent and points."""
    lines = [
        "| data | labelled besides | AP | gain | over random ones | F1 | gain | over random ones |",
        "| :-- | :-- | --: | --: | --: | --: | --: | --: |",
    ]
    for line in results:
        cells = [
            cell
            for metric in ("ap", "f1")
            for cell in (f"{100 * line[metric]:.1f}", *(points(line[f"{metric}_{over}"]) for over in OVER))
        ]
        named = line["order"] in {"none", "all"}
        order = line["order"] if named else f"{line['reviewed']:,}, {line['order'].replace('--next', '`--next`')}"
        lines.append(f"| {line['data']} | {order} | {' | '.join(cells)} |")
    return lines


def simulated_judges(results: Sequence[dict[str, Any]]) -> list[str]:
    """What a panel gains in AP over training on all rows, by data and rule; the first row has no judges."""
    cells = {
        (line["judges"], line["action"], line["data"], line["rule"]): line
        for line in results
        if line["action"] != "nothing"
    }
    columns = list(dict.fromkeys(key[2:] for key in cells))
    lines = ["| each judge is right | contradicted rows | " + " | ".join(map(", ".join, columns)) + " |"]
    lines.append("| :-- | :-- |" + " --: |" * len(columns))
    for accuracy, action in dict.fromkeys(key[:2] for key in cells):
        who = "no judges" if accuracy is None else f"{100 * accuracy:.0f} %"
        gains = [points(cells[accuracy, action, *column]["ap_gain"]) for column in columns]
        lines.append(f"| {who} | {action} | {' | '.join(gains)} |")
    return lines


def points(gain: Sequence[float]) -> str:
    """A gain with its interval, in points."""
    value, low, high = (100 * number for number in gain)
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"
