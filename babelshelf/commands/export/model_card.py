"""The card of an exported model: `README.md` with the hub's metadata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from babelshelf.commands.export.origins import Origin, teacher_terms
from babelshelf.core import languages
from babelshelf.evaluate.metric_names import HEADINGS, RESAMPLED
from babelshelf.evaluate.warnings import warnings
from babelshelf.tables.calibration import Calibration

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCard

    from babelshelf.commands.export.exported_model import ExportedModel

PIPELINE = "text-ranking"
PARTS = {"all": "all", "in_train": "in train", "absent": "absent from train"}
TASKS = {"qc": "a category path", "qi": "an item title"}
WHAT = {"lm": "A fine-tuning of", "classifier": "A classifier on", "cross_encoder": "A cross-encoder, trained from"}
SIMULATED = "Its pairs are simulated (Babelshelf's demo): the results say nothing of real queries."
METRIC_TYPES = {
    "average_precision": "average_precision",
    "f1": "f1",
    "mcc": "matthews_correlation",
    "ndcg_at_10": "ndcg",
}


def model_card(source: ExportedModel, base: Origin, library: str, usage: str) -> ModelCard:
    """The card.

    Args:
        source: the model.
        base: of the base model.
        library: the hub's name of the library that reads the export.
        usage: Markdown, how to read it.
    """
    from huggingface_hub import ModelCard, ModelCardData  # noqa: PLC0415 - slow to import

    known = sorted(source.metrics.get("languages", {}))
    name = f"babelshelf-{source.task}-{source.record.get('variant', 'model')}"
    data = ModelCardData(
        language=known or None,
        license=base.license,
        library_name=library,
        pipeline_tag=PIPELINE,
        tags=["babelshelf", "e-commerce", "product-search", "reranker"],
        base_model=base.hub[0] if base.hub else None,
        model_name=name,
        eval_results=list(_results(source)) or None,
    )
    sections = {
        "Usage": usage,
        "Thresholds": _thresholds(source.calibration),
        "Results": _table(source.metrics),
        "Prompt": _prompt(source),
        "Limits": _limits(source),
        "Licence": _terms(source, base),
    }
    body = "\n\n".join(f"## {title}\n\n{text.strip()}" for title, text in sections.items() if text)
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n# {name}\n\n{_summary(source, base)}\n\n{body}\n")


def _summary(source: ExportedModel, base: Origin) -> str:
    what = WHAT[source.kind]
    return (
        f"{what} {base.text}: is {TASKS[source.task]} relevant to a query of product search? p(yes), from 0 to 1. "
        f"Trained with Babelshelf on the training set `{source.record.get('variant', 'unknown')}`"
        f"{', on the scores of a larger model' if 'teacher' in source.record else ''}."
    )


def _terms(source: ExportedModel, base: Origin) -> str:
    """The terms of the base model and, of a student, of its teacher's."""
    of_teacher = source.record.get("teacher", {}).get("base")
    return f"{base.terms} {teacher_terms(of_teacher)}".strip() if of_teacher else base.terms


def _results(source: ExportedModel) -> Iterator[EvalResult]:
    """Metrics on test, all languages and those absent from train, with their intervals."""
    from huggingface_hub import EvalResult  # noqa: PLC0415

    for part, named in PARTS.items():
        values = source.metrics.get(part, {})
        for metric, kind in METRIC_TYPES.items():
            if metric not in values:
                continue
            interval = {
                bound: values[f"{metric}_{bound}"] for bound in ("low", "high") if f"{metric}_{bound}" in values
            }
            yield EvalResult(
                task_type=PIPELINE,
                dataset_type="private",
                dataset_name=f"test, languages: {named}",
                dataset_config=f"{source.task}-{part}",
                dataset_split="test",
                metric_type=kind,
                metric_name=HEADINGS[metric],
                metric_value=values[metric],
                metric_args=interval | {"confidence": source.metrics["confidence"]} if interval else None,
            )


def _table(metrics: Mapping[str, Any]) -> str:
    if not metrics:
        return "Not measured: there are no metrics of this model on labelled test rows."
    parts = [part for part in PARTS if part in metrics]
    lines = [f"| languages | rows | {' | '.join(HEADINGS.values())} |", f"|:--|--:|{'--:|' * len(HEADINGS)}"]
    for part in parts:
        cells = " | ".join(_cell(metrics[part], metric) for metric in HEADINGS)
        lines.append(f"| {PARTS[part]} | {metrics[part]['rows']:,} | {cells} |")
    for code, values in metrics["languages"].items():
        cells = " | ".join(_cell(values, metric) for metric in HEADINGS)
        absent = "" if values["in_train"] else ", absent"
        lines.append(f"| {languages.name(code)} (`{code}`{absent}) | {values['rows']:,} | {cells} |")
    confidence = f"{metrics['confidence']:.0%}"
    return "\n".join(
        [f"On labelled test pairs, in per cent; with {confidence} intervals (bootstrap over query groups).", "", *lines]
    )


def _cell(values: Mapping[str, Any], metric: str) -> str:
    if metric not in values:
        return ""
    value = f"{100 * values[metric]:.1f}"
    if metric in RESAMPLED and f"{metric}_low" in values:
        return f"{value} ({100 * values[f'{metric}_low']:.1f}–{100 * values[f'{metric}_high']:.1f})"
    return value


def _thresholds(calibration: Calibration) -> str:
    """What `thresholds.json` says, and code that applies it."""
    score = "p(yes)" if calibration.recalibration is None else "p(yes), recalibrated as below,"
    own = ", ".join(f"{code} {value:.6g}" for code, value in sorted(calibration.thresholds.items()))
    others = f"; of a query in one of these languages: {own}" if own else ""
    return f"""\
A pair is relevant where {score} is at least {calibration.threshold:.6g}{others}. `thresholds.json` has the numbers:

```python
import json
import math

rules = json.load(open("thresholds.json"))


def is_relevant(p_yes: float, language: str) -> bool:
    \"\"\"Whether a pair is relevant, by p(yes) and the ISO 639-1 code of its query's language.\"\"\"
    if "recalibration" in rules:
        own = rules.get("recalibrations", {{}}).get(language, rules["recalibration"])
        p = min(max(p_yes, 1e-6), 1 - 1e-6)
        p_yes = 1 / (1 + math.exp(-(own["intercept"] + own["slope"] * math.log(p / (1 - p)))))
    return p_yes >= rules.get("thresholds", {{}}).get(language, rules["threshold"])
```

They hold for p(yes) as this model gives it. A search engine that rescales scores needs a threshold of its own."""


def _prompt(source: ExportedModel) -> str:
    if source.kind != "lm":
        return ""
    template, longest = source.prompt()
    text = f"{{answer}} is `yes` or `no`; a prompt has at most {longest} tokens with it."
    return f"{text}\n\n```text\n{template.source}\n```"


def _limits(source: ExportedModel) -> str:
    measured = source.metrics.get("languages", {})
    lines = [SIMULATED] if source.data == "demo" else []
    absent = [f"{languages.name(code)} (`{code}`)" for code, values in measured.items() if not values["in_train"]]
    lines += [f"Trained without a labelled pair in {', '.join(absent)}."] if absent else []
    lines += ["Other languages than those of the table were not measured."] if measured else []
    lines += [f"{warning[0].upper()}{warning[1:]}." for warning in (warnings(source.metrics) if measured else [])]
    if source.kind == "lm":
        lines.append(f"The threshold was chosen with weights in one precision; these are in {source.dtype}.")
    lines.append("Texts are expected as in training: Unicode's NFC form, without line breaks or double spaces.")
    return "\n".join(f"- {line}" for line in lines)
