"""What a student is trained with, beside its lessons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babelshelf.encoder.encoder import Encoder

if TYPE_CHECKING:
    from babelshelf.classifier.params import ClassifierParams
    from babelshelf.distill.params import DistillParams


@dataclass(frozen=True)
class StudentInputs:
    """What a student may use.

    Attributes:
        settings: the section `distill`.
        head: the section `classifier`.
        encoder: the embedder, loaded with its settings.
        embedder: `models/base/embedder`.
        vectors: folder of the cache of vectors.
        checkpoints: folder for work that must survive a kill; it may not be there yet.
        record: what the model is to say of itself, beside what it adds.
        seed: the pipeline's seed.
    """

    settings: DistillParams
    head: ClassifierParams
    encoder: Encoder
    embedder: Path
    vectors: Path
    checkpoints: Path
    record: Mapping[str, Any]
    seed: int
