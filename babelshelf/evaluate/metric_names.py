"""Names of the metrics: their keys in metrics/evaluate/<task>.json, and how tables head them.

To add a metric, compute it in `metrics.point_metrics` and name it in `HEADINGS`: the results table and the report then
show it. A metric may be missing where the data does not define it, as nDCG@10 is without a query with both labels.
"""

from __future__ import annotations

# In the order of the tables of results; all are shares, shown in per cent.
HEADINGS = {
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
    "average_precision": "AP",
    "ndcg_at_10": "nDCG@10",
    "mcc": "MCC",
    "all_yes_f1": 'All "yes" F1',
}

# Those that the bootstrap resamples and that each language has.
RESAMPLED = ("f1", "average_precision", "mcc", "ndcg_at_10")

# What metrics/summarize.json takes of the rows of all languages.
SUMMARY = ("f1", "f1_low", "f1_high", "average_precision", "mcc", "ndcg_at_10", "all_yes_f1")
