"""A fitted classifier: its weights, the encoder it belongs to, and its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from babelshelf.classifier.features import FeatureMatrix, blocks
from babelshelf.core.errors import InputError
from babelshelf.core.files import replacing
from babelshelf.encoder.encoder import FloatArray

WEIGHTS = "classifier.npz"


@dataclass(frozen=True)
class Classifier:
    """A logistic regression on standardized features.

    Attributes:
        mean, scale: of the features that it was fitted on, shape (n_features,), float32.
        weights: of the standardized features, and the intercept as the last one, shape (n_features + 1,), float64.
        penalty: the one that it was fitted with.
    """

    mean: FloatArray
    scale: FloatArray
    weights: npt.NDArray[np.float64]
    penalty: float

    def predict(self, features: FeatureMatrix) -> npt.NDArray[np.float64]:
        """p(yes) of each row, shape (n_rows,).

        Raises:
            InputError: the features are not those of the fit.
        """
        rows, width = features.shape
        if width != len(self.mean):
            raise InputError(f"the classifier was fitted on {len(self.mean)} features, not {width}: fit it again")
        logits = np.empty(rows)
        slope = self.weights[:-1] / self.scale
        intercept = self.weights[-1] - slope @ self.mean
        for part in blocks(rows):
            logits[part] = features[part] @ slope + intercept
        return probabilities(logits)

    def save(self, folder: Path) -> None:
        """Write the weights into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / WEIGHTS) as temporary, temporary.open("wb") as stream:
            np.savez(stream, mean=self.mean, scale=self.scale, weights=self.weights, penalty=np.array(self.penalty))


def load_classifier(folder: Path) -> Classifier:
    """The classifier that `save` wrote.

    Raises:
        InputError: the folder has none.
    """
    file = folder / WEIGHTS
    if not file.is_file():
        raise InputError(f"{file}: no such file; run the stage classifier, which writes it")
    with np.load(file, allow_pickle=False) as arrays:
        return Classifier(arrays["mean"], arrays["scale"], arrays["weights"], float(arrays["penalty"]))


def probabilities(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The logistic function, without overflow."""
    decay = np.exp(-np.abs(logits))
    p_yes: npt.NDArray[np.float64] = np.where(logits >= 0, 1, decay) / (1 + decay)
    return p_yes
