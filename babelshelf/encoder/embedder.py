"""Embed texts with a sentence-transformers model from a folder, in one process or in one per device.

Finished chunks of vectors are saved, so that a kill loses at most one chunk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling

from babelshelf.core.errors import InputError
from babelshelf.core.files import replacing
from babelshelf.llm.base_model import DTYPES, weights
from babelshelf.runtime.child_process import end_with_parent
from babelshelf.runtime.screen import progress

if TYPE_CHECKING:
    from babelshelf.encoder.params import EncoderParams

FloatArray = npt.NDArray[np.float32]

CHUNK = 4096  # texts per saved chunk


class Embedder(SentenceTransformer):  # type: ignore[misc]  # sentence-transformers is not followed
    """A SentenceTransformer whose worker processes end with the process that started them."""

    @classmethod
    def _multi_process_worker(cls, *args: Any) -> None:  # noqa: ANN401 - the base class's
        end_with_parent()
        super()._multi_process_worker(*args)


def load_embedder(folder: Path, settings: EncoderParams) -> Embedder:
    """Load a sentence-transformers model from a folder, without access to the hub.

    Args:
        folder: `models/base/embedder`, or any folder in sentence-transformers' format.
        settings: device, precision, maximum length and dimensions.

    Raises:
        InputError: the folder has no model, the model has fewer dimensions than `truncate_dim` or fewer positions than
            `max_length`, or a device is missing.
    """
    if not (weights(folder) / "modules.json").is_file():
        raise InputError(
            f"{folder}: no sentence-transformers model (no modules.json in it); run `dvc repro base_model`"
        )
    _check_devices(settings.devices)
    single = len(settings.devices) == 1 and settings.devices[0] != "auto"
    embedder = Embedder(
        str(weights(folder)),
        device=settings.devices[0] if single else None,
        truncate_dim=None if settings.truncate_dim == "none" else settings.truncate_dim,
        local_files_only=True,
    )
    if (
        settings.max_length != "none" and embedder.max_seq_length != np.inf
    ):  # inf: static embeddings, texts of any length
        if settings.max_length > (most := _positions(embedder)):
            raise InputError(
                f"mine_negatives.max_length is {settings.max_length}, but {folder} reads {most} tokens at most: "
                "lower it, or set none"
            )
        embedder.max_seq_length = settings.max_length
    _pad_left(embedder)
    embedder.to(getattr(torch, DTYPES[settings.precision]))
    if settings.truncate_dim != "none" and _dimension(embedder) < settings.truncate_dim:
        raise InputError(
            f"mine_negatives.truncate_dim is {settings.truncate_dim}, but {folder} has only {_dimension(embedder)}"
        )
    return embedder


def encode(
    embedder: SentenceTransformer, texts: Sequence[str], settings: EncoderParams, checkpoint_dir: Path, prompt: str = ""
) -> FloatArray:
    """Unit vectors of `texts`, with a progress bar; a killed run continues after its finished chunks.

    Args:
        embedder: a model from `load_embedder`.
        texts: at least one text. Without a `prompt` they are documents, embedded with the document prompt of the
            model's configuration (Qwen3-Embedding has none).
        settings: devices, batch size and precision. With several devices, vectors equal those of one process up to
            rounding, as the batches differ.
        checkpoint_dir: folder for the finished chunks; it must belong to these texts, this model and these settings.
        prompt: instruction before each text, which makes the texts queries.

    Returns:
        Shape (n, dimension), float32: a memory map of a file in `checkpoint_dir`, as it may exceed the memory.
    """
    checkpoint_dir.mkdir(parents=True, exist_ok=True)
    state, file = checkpoint_dir / "finished.json", checkpoint_dir / "vectors.npy"
    finished = json.loads(state.read_text(encoding="utf-8")) if state.is_file() else 0
    if finished < len(texts):  # else worker processes would load the model in vain
        mode: Literal["r+", "w+"] = "r+" if finished else "w+"
        vectors = np.lib.format.open_memmap(file, mode, np.float32, (len(texts), _dimension(embedder)))
        with _encoder(embedder, settings) as run:
            _encode_rest(lambda part: run(part, prompt), texts, vectors, finished, state)
    read: FloatArray = np.load(file, mmap_mode="r")
    return read


def _encode_rest(
    run: Callable[[Sequence[str]], FloatArray], texts: Sequence[str], vectors: np.memmap, finished: int, state: Path
) -> None:
    """Fill `vectors` from row `finished` on; the file `state` has the number of finished rows."""
    with progress(total=len(texts), initial=finished, desc="embed", unit="text") as bar:
        for start in range(finished, len(texts), CHUNK):
            part = texts[start : start + CHUNK]
            vectors[start : start + len(part)] = run(part)
            vectors.flush()  # before the chunk counts as finished
            with replacing(state) as temporary:
                temporary.write_text(json.dumps(start + len(part)), encoding="utf-8")
            bar.update(len(part))


@contextmanager
def _encoder(
    embedder: SentenceTransformer, settings: EncoderParams
) -> Iterator[Callable[[Sequence[str], str], FloatArray]]:
    """Yield a function from texts and a prompt to unit vectors; worker processes end with the context."""
    pool = embedder.start_multi_process_pool(settings.devices) if len(settings.devices) > 1 else None

    def run(texts: Sequence[str], prompt: str) -> FloatArray:
        options: dict[str, Any] = {"batch_size": settings.batch_size, "pool": pool, "show_progress_bar": False}
        method = embedder.encode_query if prompt else embedder.encode_document
        vectors: FloatArray = method(list(texts), prompt=prompt or None, normalize_embeddings=True, **options)
        if settings.precision == "fp32":
            return vectors
        vectors = vectors.astype(np.float32)  # the norm in bf16 is only 1 within 0.4 %
        unit: FloatArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    try:
        yield run
    finally:
        if pool:
            embedder.stop_multi_process_pool(pool)


def _check_devices(devices: Sequence[str]) -> None:
    for device in devices:
        kind, _, number = device.partition(":")
        missing = kind == "cuda" and int(number or 0) >= torch.cuda.device_count()
        if missing or (kind == "mps" and not torch.backends.mps.is_available()):
            raise InputError(
                f"mine_negatives.devices: there is no {device} here ({torch.cuda.device_count()} CUDA GPUs)"
            )


def _dimension(embedder: SentenceTransformer) -> int:
    """Number of dimensions of the vectors, after truncation."""
    dimension: int | None = embedder.get_embedding_dimension()
    if dimension is None:
        raise InputError("the embedder does not state the dimension of its vectors: set truncate_dim to it")
    return dimension


def _positions(embedder: SentenceTransformer) -> float:
    """Maximum number of tokens that the model supports, without its own truncation; infinity if it states none."""
    model = getattr(embedder[0], "auto_model", None)
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None) if model else None
    return positions if positions and positions > 0 else np.inf


def _pad_left(embedder: SentenceTransformer) -> None:
    """Pad on the left if the text's vector is that of the last token, as Qwen3-Embedding was trained."""
    last = any(isinstance(module, Pooling) and "lasttoken" in module.pooling_mode for module in embedder)
    if last:
        embedder.tokenizer.padding_side = "left"
