"""An encoder in sentence-transformers' format, from a folder, in one process or in one per device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, StaticEmbedding

from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.core.partial_work import fingerprint
from babelshelf.encoder.encoder import FloatArray
from babelshelf.llm.base_model import CONFIG, DTYPES, identity, weights
from babelshelf.runtime.child_process import end_with_parent

if TYPE_CHECKING:
    from babelshelf.encoder.params import EncoderParams


class Embedder(SentenceTransformer):  # type: ignore[misc]  # sentence-transformers is not followed
    """A SentenceTransformer whose worker processes end with the process that started them."""

    @classmethod
    def _multi_process_worker(cls, *args: Any) -> None:  # noqa: ANN401 - the base class's
        end_with_parent()
        super()._multi_process_worker(*args)


class SentenceTransformerEncoder:
    """Texts to vectors by a sentence-transformers or model2vec model; without access to the hub.

    Without a prompt, texts are embedded with the document prompt of the model's configuration (Qwen3-Embedding has
    none).

    Args:
        folder: `models/base/embedder`, or any folder in the format of sentence-transformers or model2vec.
        settings: devices, batch size, precision, maximum length and dimensions.

    Attributes:
        model: the sentence-transformers model.

    Raises:
        InputError: the folder has no model, the model has fewer dimensions than `truncate_dim` or fewer positions than
            `max_length`, or a device is missing.
    """

    languages: frozenset[str] | None = None

    def __init__(self, folder: Path, settings: EncoderParams) -> None:
        self._settings = settings
        self._pool: Any = None
        self.model = _load(folder, settings)
        self.name = str(folder)
        self.dimension = _dimension(self.model)
        vectors = (settings.precision, settings.max_length, settings.truncate_dim)
        self.identity = fingerprint(identity(folder), *vectors)
        if settings.truncate_dim != "none" and self.dimension < settings.truncate_dim:
            raise InputError(
                f"{settings.section}.truncate_dim is {settings.truncate_dim}, but {folder} has only {self.dimension}"
            )

    def encode(self, texts: Sequence[str], prompt: str = "") -> FloatArray:
        """See `Encoder`; with several devices, vectors equal those of one up to rounding, as the batches differ."""
        if not len(texts):
            return np.empty((0, self.dimension), np.float32)
        method = self.model.encode_query if prompt else self.model.encode_document
        with self.workers():
            vectors: FloatArray = method(
                list(texts),
                prompt=prompt or None,
                normalize_embeddings=True,
                batch_size=self._settings.batch_size,
                pool=self._pool,
                show_progress_bar=False,
            )
        if self._settings.precision == "fp32":
            return vectors
        vectors = vectors.astype(np.float32)  # the norm in bf16 is only 1 within 0.4 %
        unit: FloatArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    @contextmanager
    def workers(self) -> Iterator[None]:
        """Keep one worker process per device, where there are several, for all calls of `encode` in the context."""
        if len(self._settings.devices) == 1 or self._pool:
            yield
            return
        self._pool = self.model.start_multi_process_pool(self._settings.devices)
        try:
            yield
        finally:
            self.model.stop_multi_process_pool(self._pool)
            self._pool = None


def _load(folder: Path, settings: EncoderParams) -> Embedder:
    files = weights(folder)
    if not (files / "modules.json").is_file() and not _is_model2vec(files):
        raise InputError(
            f"{folder}: no sentence-transformers model (no modules.json in it), nor one of model2vec; "
            "run `dvc repro base_model`"
        )
    _check_devices(settings)
    single = len(settings.devices) == 1 and settings.devices[0] != "auto"
    bare = _is_model2vec(files) and not (files / "modules.json").is_file()  # as old versions of model2vec save it
    model = Embedder(
        None if bare else str(files),
        modules=[StaticEmbedding.load(str(files)), Normalize()] if bare else None,
        device=settings.devices[0] if single else None,
        truncate_dim=None if settings.truncate_dim == "none" else settings.truncate_dim,
        local_files_only=True,
    )
    if settings.max_length != "none" and model.max_seq_length != np.inf:  # inf: static embeddings, texts of any length
        if settings.max_length > (most := _positions(model)):
            raise InputError(
                f"{settings.section}.max_length is {settings.max_length}, but {folder} reads {most} tokens at most: "
                "lower it, or set none"
            )
        model.max_seq_length = settings.max_length
    _pad_left(model)
    model.to(getattr(torch, DTYPES[settings.precision]))
    return model


def _is_model2vec(folder: Path) -> bool:
    """Whether a folder has a static embedder in model2vec's format, whose files sentence-transformers reads."""
    return (folder / CONFIG).is_file() and read_json(folder / CONFIG).get("model_type") == "model2vec"


def _check_devices(settings: EncoderParams) -> None:
    for device in settings.devices:
        kind, _, number = device.partition(":")
        missing = kind == "cuda" and int(number or 0) >= torch.cuda.device_count()
        if missing or (kind == "mps" and not torch.backends.mps.is_available()):
            raise InputError(
                f"{settings.section}.devices: there is no {device} here ({torch.cuda.device_count()} CUDA GPUs)"
            )


def _dimension(model: SentenceTransformer) -> int:
    """Number of dimensions of the vectors, after truncation."""
    dimension: int | None = model.get_embedding_dimension()
    if dimension is None:
        raise InputError("the embedder does not state the dimension of its vectors: set truncate_dim to it")
    return dimension


def _positions(model: SentenceTransformer) -> float:
    """Maximum number of tokens that the model supports, without its own truncation; infinity if it states none."""
    inner = getattr(model[0], "auto_model", None)
    positions = getattr(inner.config.get_text_config(), "max_position_embeddings", None) if inner else None
    return positions if positions and positions > 0 else np.inf


def _pad_left(model: SentenceTransformer) -> None:
    """Pad on the left if the text's vector is that of the last token, as Qwen3-Embedding was trained."""
    last = any(isinstance(module, Pooling) and "lasttoken" in module.pooling_mode for module in model)
    if last:
        model.tokenizer.padding_side = "left"
