"""Whether p(yes) is a probability: of the pairs that get 0.8, are 80 % relevant?

After Guo et al., "On Calibration of Modern Neural Networks" (arXiv 1706.04599), with bins of equal mass in the place of
equal width (Nixon et al., "Measuring Calibration in Deep Learning", arXiv 1904.01685): p(yes) of a fine-tuned model
crowds in few places, where bins of equal width are full, while others are almost empty.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from babelshelf.tables.predictions import Floats, Labels


def reliability(labels: Labels, p_yes: Floats, bins: int) -> pl.DataFrame:
    """The reliability curve, a row for each bin by rising p(yes).

    Equal scores share a bin, so a bin may have more rows than others and the next one none; such a one is left out.

    Args:
        labels: shape (n_rows,).
        p_yes: shape (n_rows,).
        bins: of equal numbers of rows.

    Returns:
        Columns `p_yes` (mean), `positive_share` and `rows`.
    """
    rank = np.searchsorted(np.sort(p_yes), p_yes, side="left")
    table = pl.DataFrame({"bin": rank * bins // len(p_yes), "p_yes": p_yes, "positive": labels})
    grouped = table.group_by("bin").agg(pl.col("p_yes").mean(), positive_share=pl.col("positive").mean(), rows=pl.len())
    return grouped.sort("bin").drop("bin")


def expected_calibration_error(curve: pl.DataFrame) -> float:
    """The mean distance of p(yes) from the positive share over the bins of `reliability`, weighted by their rows."""
    gap = np.abs(curve["p_yes"].to_numpy() - curve["positive_share"].to_numpy())
    return float(np.average(gap, weights=curve["rows"].to_numpy()))
