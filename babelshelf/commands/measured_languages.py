"""Which languages a result is measured in: those of dev and test, with labels in train or without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def measured_languages(task: str, prepared: Mapping[str, Any], in_train_rows: int) -> str:
    """A line on the languages of test of a task.

    Args:
        task: `qc` or `qi`.
        prepared: the statistics of the task, of metrics/prepare.json.
        in_train_rows: the param `evaluate.in_train_rows`: languages with fewer train rows count as absent.
    """
    train, test = (prepared[split]["languages"] for split in ("train", "test"))
    learned = {language for language, part in train.items() if part["rows"] >= in_train_rows}
    within = [language for language in sorted(test) if language in learned]
    absent = [language for language in sorted(test) if language not in learned]
    line = f"{task} is measured in {', '.join(within) or 'no language'} (with labels in train)"
    if absent:
        return f"{line} and in {', '.join(absent)} (without labels in train)"
    return f"{line}; in no language without labels, so no gain of translation can be seen"
