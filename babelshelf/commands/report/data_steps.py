"""What a row's data step planned, kept and dropped, in a sentence that stands beside its gain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from babelshelf.commands.ladder.comparison import Step
from babelshelf.core.variants import STAGES

Metrics = Mapping[str, Any]


def sentences(step: Step, task: str) -> Iterator[str]:
    """A sentence for the last data step of the row's training set, of the first seed that was run."""
    run = next(iter(step.runs.values()), None)
    if run is None:
        return
    variant = run.variants(task)[-1]
    metrics = run.json(f"metrics/{STAGES[variant]}/{task}.json") if variant in STAGES else None
    if metrics is not None:
        yield f"{step.row.title}: {DESCRIPTIONS[variant](metrics)}"


def _translations(metrics: Metrics) -> str:
    planned, kept = (_rows(metrics[name]) for name in ("planned", "kept"))
    dropped = {name: _rows(by_language) for name, by_language in metrics["dropped"].items()}
    return f"{planned:,} translations were planned and {kept:,} kept{_reasons(dropped)}."


def _negatives(metrics: Metrics) -> str:
    target, mined = (sum(metrics[name].values()) for name in ("target", "mined"))
    return f"{target:,} negatives were planned and {mined:,} mined{_reasons(metrics['dropped_draws'])}."


def _filter(metrics: Metrics) -> str:
    by_origin = {origin: counts["dropped"] for origin, counts in metrics["by_origin"].items()}
    relabelled = f", {metrics['relabelled']:,} of them with another label" if metrics.get("relabelled") else ""
    return f"of {metrics['read']:,} rows {metrics['kept']:,} were kept{relabelled}{_reasons(by_origin)}."


DESCRIPTIONS = {"translated": _translations, "negatives": _negatives, "filtered": _filter}


def _rows(by_language: Mapping[str, Mapping[str, int]]) -> int:
    return sum(counts["rows"] for counts in by_language.values())


def _reasons(counts: Mapping[str, int]) -> str:
    """Those that dropped something, the largest first."""
    found = sorted(((n, name) for name, n in counts.items() if n), key=lambda pair: (-pair[0], pair[1]))
    return "; dropped: " + ", ".join(f"{name} {n:,}" for n, name in found) if found else ""
