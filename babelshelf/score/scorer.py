"""What a scorer is, the backend that the params choose, and scoring that survives a kill."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import polars as pl

from babelshelf.classifier import model_folder
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json, replacing, work_dir
from babelshelf.core.partial_work import partial_work
from babelshelf.core.variants import FINAL
from babelshelf.llm.base_model import check_base
from babelshelf.runtime.screen import progress
from babelshelf.score import classifier_scorer, cross_encoder_scorer
from babelshelf.score.params import BACKENDS, ScoreParams

Kind = Literal["lm", "classifier", "cross_encoder"]
RECORDS: dict[Kind, str] = {  # by kind of model, the file in its folder that says what it is
    "classifier": model_folder.RECORD,
    "cross_encoder": cross_encoder_scorer.RECORD,
    "lm": "prompt.json",
}
CHUNK = 1024  # pairs: what a kill loses at most, where a scorer has no reason for more


class Scorer(Protocol):
    """A model that answers "yes" or "no" to the prompt of a pair; a classifier's prompt is the pair itself.

    Attributes:
        chunk: how many prompts it is best given at once; what a kill loses at most, unless it keeps more itself.
    """

    chunk: int

    def encode(self, rows: pl.DataFrame) -> pl.Series:
        """The rows' prompts, shape (rows,): token ids, `List(Int32)`; of a classifier, the pairs."""
        ...

    def order(self, prompts: pl.Series) -> np.ndarray:
        """Numbers of all prompts in the order in which they are scored fastest, int64, shape (prompts,)."""
        ...

    def score(self, prompts: pl.Series) -> np.ndarray:
        """p(yes) = exp(l_yes) / (exp(l_yes) + exp(l_no)) of each prompt, float64, shape (prompts,)."""
        ...


def load_scorer(
    base: Path, model: Path, settings: ScoreParams, vectors: Path | None = None
) -> AbstractContextManager[Scorer]:
    """The scorer for the model in the folder `model`.

    Args:
        base: `models/base`, with the folders `lm` and `embedder`; for a fine-tuned LM also the base LM's own folder.
        model: a classifier, a cross-encoder, or a fine-tuned LM, whose scorer is that of `settings.backend`, a module
            of `babelshelf.score.backends`.
        settings: the section `score`.
        vectors: folder for the vectors that a classifier needs; None: the cache that all stages share.

    Raises:
        InputError: the model was trained on another base, or with another encoder.
    """
    kind = kind_of(model)
    if kind == "cross_encoder":
        return cross_encoder_scorer.load(model)
    if kind == "classifier":
        return classifier_scorer.load(base, model, vectors or work_dir() / "encoder")
    lm = base_lm(base)
    check_base(lm, model)
    scorer: AbstractContextManager[Scorer] = BACKENDS.load(settings.backend).load(lm, model, settings)
    return scorer


def base_lm(base: Path) -> Path:
    """The base LM's folder in `models/base`; `base` itself, if it has no folder `lm`."""
    return base / "lm" if (base / "lm").is_dir() else base


def kind_of(model: Path) -> Kind:
    """The kind of model that a folder has; `lm` where it has none that we know."""
    return next((kind for kind, record in RECORDS.items() if (model / record).is_file()), "lm")


def read_record(model: Path) -> dict[str, Any]:
    """What a model says of itself: its `variant`, and the `path_share` of its training rows.

    Raises:
        InputError: the folder has no model.
    """
    file = model / RECORDS[kind_of(model)]
    if not file.is_file():
        raise InputError(
            f"{model}: no model (none of {', '.join(RECORDS.values())} in it): run the stage that trains it"
        )
    return read_json(file)


def refuse_final(model: Path) -> None:
    """Raise InputError for a model of the variant `final`: it was trained on the very rows that are to be scored."""
    if read_record(model).get("variant") == FINAL:
        raise InputError(
            f"{model}: it was trained on dev and test, so that scores on them measure nothing: set train_on to the "
            "variant of the recipe; the stage predict_final alone uses this model"
        )


def score_tables(
    tables: Mapping[Path, pl.DataFrame],
    write: Callable[[Path, pl.DataFrame], None],
    *,
    base: Path,
    model: Path,
    settings: ScoreParams,
    key: Sequence[object],
) -> str:
    """Score tables with one model: the common part of the stages `score`, `score_train` and `predict`.

    Args:
        tables: rows of `ROW_SCHEMA`, by the file that they were read from.
        write: called with the file and its rows with the column `p_yes`; a table's partial work is kept until then.
        base: see `load_scorer`.
        model: folder of the trained model.
        settings: backend, batch size, precision.
        key: what else tells this partial work from another, see `partial_work`.

    Returns:
        What came out, for the screen.
    """
    with load_scorer(base, model, settings) as scorer:
        for file, rows in tables.items():
            with partial_work("score", *key, file, base, model, settings) as folder:
                scores = score_pairs(rows, scorer, folder)
                write(file, rows.with_columns(p_yes=pl.Series(scores, dtype=pl.Float64)))
    return f"{sum(rows.height for rows in tables.values()):,} pairs"


def score_pairs(rows: pl.DataFrame, scorer: Scorer, done: Path) -> np.ndarray:
    """p(yes) of all rows, in their order.

    Args:
        rows: a table of `ROW_SCHEMA`.
        scorer: the model.
        done: folder for this very run's finished chunks: a run that was killed goes on from them, with the same
            result, as the chunks do not depend on what was done before.

    Returns:
        float64, shape (rows,).
    """
    prompts = scorer.encode(rows)
    order = scorer.order(prompts)
    scores = np.empty(rows.height)
    with progress(total=rows.height, desc="score", unit="pair") as bar:
        for start in range(0, rows.height, scorer.chunk):
            part = order[start : start + scorer.chunk]
            scores[part] = _chunk(prompts[part], scorer, done / f"{start}.npy")
            bar.update(len(part))
    return scores


def by_tokens(prompts: pl.Series) -> np.ndarray:
    """Numbers of the prompts in the order of their tokens, so that those that begin alike follow each other.

    Returns:
        int64, shape (prompts,).
    """
    order: np.ndarray = pl.DataFrame({"prompt": prompts}).select(pl.col("prompt").arg_sort()).to_series().to_numpy()
    return order.astype(np.int64)


def _chunk(prompts: pl.Series, scorer: Scorer, path: Path) -> np.ndarray:
    if path.is_file():
        finished: np.ndarray = np.load(path)
        return finished
    scores = scorer.score(prompts)
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, scores)
    return scores
