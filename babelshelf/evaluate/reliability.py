"""Calibration of p(yes): whether 80 % of the pairs with p(yes) of 0.8 are relevant.

The reliability curve and the expected calibration error of Guo et al., "On Calibration of Modern Neural Networks"
(arXiv 1706.04599), with bins of equal mass instead of equal width (Nixon et al., "Measuring Calibration in Deep
Learning", arXiv 1904.01685): p(yes) of a fine-tuned model is concentrated, so most bins of equal width are almost
empty.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from babelshelf.tables.predictions import Floats, Labels


def reliability(labels: Labels, p_yes: Floats, bins: int) -> pl.DataFrame:
    """Reliability curve: a row for each bin, in ascending order of p(yes).

    Equal scores share a bin, so bins may have different numbers of rows; empty bins are omitted.

    Args:
        labels: shape (n_rows,).
        p_yes: shape (n_rows,).
        bins: number of bins, with equal numbers of rows.

    Returns:
        Columns `p_yes` (mean), `positive_share` and `rows`.
    """
    rank = np.searchsorted(np.sort(p_yes), p_yes, side="left")
    table = pl.DataFrame({"bin": rank * bins // len(p_yes), "p_yes": p_yes, "positive": labels})
    grouped = table.group_by("bin").agg(pl.col("p_yes").mean(), positive_share=pl.col("positive").mean(), rows=pl.len())
    return grouped.sort("bin").drop("bin")


def expected_calibration_error(curve: pl.DataFrame) -> float:
    """Mean absolute difference of p(yes) and positive share over the bins of `reliability`, weighted by rows."""
    gap = np.abs(curve["p_yes"].to_numpy() - curve["positive_share"].to_numpy())
    return float(np.average(gap, weights=curve["rows"].to_numpy()))
