"""The benchmark of an LM's scores, with a stand-in for the LM: what is trained on what, kept, and combined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from babelshelf.tables.predictions import Floats
from benchmarks.lm_label_errors import EPOCHS, FINALISTS, FineTunedLm, combined, kept_scores
from benchmarks.tests.test_label_errors import data


class CountingLm(FineTunedLm):
    """Its p(yes) is 0.5, or 0.9 where it was trained on the row; `calls` has the sizes of its training sets."""

    def __init__(self) -> None:
        super().__init__("qi", Path("base"), 120)
        object.__setattr__(self, "calls", [])

    def scores(self, train: pl.DataFrame, rows: pl.DataFrame, seed: int) -> Floats:
        """See `FineTunedLm`."""
        self.calls.append(train.height)  # type: ignore[attr-defined]
        known = rows["id"].is_in(train["id"].implode()).to_numpy()
        return np.tile(np.where(known, 0.9, 0.5), (EPOCHS + 1, 1))


def test_out_of_fold_scores_are_of_models_that_have_not_seen_the_row(tmp_path: Path) -> None:
    lm, rows = CountingLm(), data().train
    made = kept_scores(lm, rows, 1, tmp_path)
    assert {name: set(values.ravel()) for name, values in made.items()} == {
        "in_sample": {0.9}, "out_of_fold": {0.5}, "in_sample 2": {0.9}, "out_of_fold 2": {0.5}
    }  # fmt: skip
    sizes = lm.calls  # type: ignore[attr-defined]
    assert sizes[0] == sizes[3] == 120
    assert sizes[1] + sizes[2] == sizes[4] + sizes[5] == 120
    kept_scores(lm, rows, 1, tmp_path)
    assert len(sizes) == 6
    scores = combined(made, np.full(120, 0.1))
    assert {*FINALISTS, "out_of_fold"} <= scores.keys()
    assert np.allclose(scores["lm in_sample + out_of_fold"], 0.75)  # odds 9 and 1 have the mean 3
    assert np.allclose(scores["lm + classifier"], 0.25)
