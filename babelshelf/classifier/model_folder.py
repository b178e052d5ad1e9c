"""The folder that the stage `classifier` writes: the head, what it belongs to, and the scores of its training rows.

classifier.npz       the head: `Classifier.save`
classifier.json      variant, encoder, settings; read like the `prompt.json` of a fine-tuned LM
reference.npz        vectors of candidates of the training rows: `Reference`
scores.parquet       `id` and `p_yes` of all training rows: out of fold, where a row has a label
embedder/            the encoder's pointer, if `models/base/embedder` is one
versions.json
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from babelshelf.classifier.contrast import Reference
from babelshelf.classifier.features import PairFeatures, pair_features
from babelshelf.classifier.model import Classifier, load_classifier
from babelshelf.classifier.training import RowsFit
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json, write_json
from babelshelf.core.rows import read_table
from babelshelf.encoder.embedder import load_embedder
from babelshelf.encoder.encoder import Encoder
from babelshelf.encoder.params import EncoderParams
from babelshelf.llm.base_model import POINTER
from babelshelf.llm.versions import write_versions

RECORD = "classifier.json"
REFERENCE = "reference.npz"
SCORES = "scores.parquet"
EMBEDDER = "embedder"
PACKAGES = ("numpy", "scipy", "scikit-learn", "polars")


@dataclass(frozen=True)
class PairClassifier:
    """A classifier with all that it needs to score pairs.

    Attributes:
        classifier: the head.
        encoder: the one that it was fitted with.
        reference: what the features need of its training rows.
    """

    classifier: Classifier
    encoder: Encoder
    reference: Reference

    def p_yes(self, rows: pl.DataFrame, cache: Path) -> npt.NDArray[np.float64]:
        """p(yes) of rows with the columns `query` and `candidate`, shape (n_rows,); `cache`: see `cached_vectors`."""
        return self.classifier.predict(self.features(rows, cache))

    def features(self, rows: pl.DataFrame, cache: Path) -> PairFeatures:
        """The features that the head reads, of rows as in `p_yes`."""
        return pair_features(rows, self.encoder, cache, self.reference)


def is_classifier(folder: Path) -> bool:
    """Whether a model's folder has a classifier, rather than a language model."""
    return (folder / RECORD).is_file()


def write_model(folder: Path, fitted: RowsFit, record: dict[str, Any], embedder: Path) -> None:
    """Write a model's folder.

    Args:
        folder: must not exist.
        fitted: the head, and the scores of its training rows.
        record: `encoder` (see `encoder_record`); `variant` and `path_share` as in an LM's `prompt.json`.
        embedder: `models/base/embedder`.
    """
    fitted.classifier.save(folder)
    fitted.scores.write_parquet(folder / SCORES)
    candidates, last = fitted.reference.candidates, fitted.reference.last
    if last is None:
        np.savez(folder / REFERENCE, candidates=candidates)
    else:
        np.savez(folder / REFERENCE, candidates=candidates, last=last)
    write_json(folder / RECORD, record)
    write_versions(folder, PACKAGES)
    if (embedder / POINTER).is_file():
        (folder / EMBEDDER).mkdir()
        shutil.copy(embedder / POINTER, folder / EMBEDDER / POINTER)


def encoder_record(encoder: Encoder, settings: EncoderParams) -> dict[str, Any]:
    """What a model's record says of its encoder: its name and identity, and the settings that it was loaded with."""
    own = settings.model_dump(include=set(EncoderParams.model_fields))
    return {"name": encoder.name, "identity": encoder.identity, "settings": own | {"devices": ["auto"]}}


def load_model(base: Path, folder: Path) -> PairClassifier:
    """The head in a model's folder, and its encoder.

    Args:
        base: `models/base`; where it has no embedder, the folder's own pointer serves.
        folder: of the model.

    Raises:
        InputError: the encoder is missing, or is another than the one that the classifier was fitted with.
    """
    record = read_json(folder / RECORD)["encoder"]
    embedder = base / EMBEDDER if (base / EMBEDDER).is_dir() else folder / EMBEDDER
    if not embedder.is_dir():
        raise InputError(f"{base / EMBEDDER}: no such folder: run `dvc repro base_model`, or give --base")
    encoder = load_embedder(embedder, EncoderParams.model_validate(record["settings"]))
    if encoder.identity != record["identity"]:
        raise InputError(
            f"{folder}: was fitted with another encoder than {embedder}: with {record['name']}, not {encoder.name}; "
            "run `dvc repro` for it, or put base_model.embedder in params.yaml back"
        )
    return PairClassifier(load_classifier(folder), encoder, _read_reference(folder))


def _read_reference(folder: Path) -> Reference:
    file = folder / REFERENCE
    if not file.is_file():
        raise InputError(f"{file}: no such file; run the stage classifier again, which writes it")
    with np.load(file, allow_pickle=False) as arrays:
        return Reference(arrays["candidates"], arrays.get("last"))


def read_scores(folder: Path, rows: pl.DataFrame) -> pl.DataFrame:
    """`id` and `p_yes` of the rows that a model was fitted on, in their order; out of fold, where a row has a label.

    Raises:
        InputError: the rows are not those of the model.
    """
    scores = read_table(folder / SCORES)
    if not scores["id"].equals(rows["id"]):
        raise InputError(f"{folder / SCORES}: has the scores of other rows: run the stage classifier again")
    return scores
