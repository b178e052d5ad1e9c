"""Names of the metrics: their keys in metrics/evaluate/<task>.json, and how tables head them.

To add a metric, compute it in `metrics.point_metrics` and name it here: the results table and the report then show it.
"""

from __future__ import annotations

# Columns of the tables of results, in their order; all are shares, shown in per cent.
HEADINGS = {
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
    "average_precision": "AP",
    "mcc": "MCC",
    "all_yes_f1": 'All "yes" F1',
}

# Those that the bootstrap resamples and that each language has.
RESAMPLED = ("f1", "average_precision", "mcc")

# What metrics/summarize.json takes of the rows of all languages.
SUMMARY = ("f1", "f1_low", "f1_high", "average_precision", "mcc", "all_yes_f1")
