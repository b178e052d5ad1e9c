"""Load the encoder that `models/base/embedder` holds or points to, and embed texts with it.

Finished chunks of vectors are saved, so that a kill loses at most one chunk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json, replacing
from babelshelf.encoder import builtin_encoders
from babelshelf.encoder.encoder import Encoder, FloatArray
from babelshelf.llm.base_model import POINTER
from babelshelf.runtime.screen import progress

if TYPE_CHECKING:
    from babelshelf.encoder.params import EncoderParams

CHUNK = 4096  # texts per saved chunk


def load_embedder(folder: Path, settings: EncoderParams) -> Encoder:
    """Load an encoder, without access to the hub.

    Args:
        folder: `models/base/embedder`, or any folder in sentence-transformers' format.
        settings: device, precision, maximum length and dimensions.

    Raises:
        InputError: the folder has no model, a built-in encoder's package is missing or has other weights, the model
            can't do what the settings ask for, or a device is missing.
    """
    pointer = read_json(folder / POINTER) if (folder / POINTER).is_file() else {}
    if "builtin" in pointer:
        return _load_builtin(folder, pointer["builtin"], pointer["sha256"], settings)
    from babelshelf.encoder.sentence_transformer import SentenceTransformerEncoder  # noqa: PLC0415 - imports torch

    return SentenceTransformerEncoder(folder, settings)


def _load_builtin(folder: Path, model: str, sha256: dict[str, str], settings: EncoderParams) -> Encoder:
    if set(settings.devices) - {"auto", "cpu"} or len(settings.devices) > 1:
        raise InputError(f"{settings.section}.devices: {model} runs on the CPU in one process: set [auto]")
    for key, usual in (("precision", "fp32"), ("max_length", "none"), ("truncate_dim", "none")):
        if getattr(settings, key) != usual:
            raise InputError(f"{settings.section}.{key}: {model} has no such choice: set {usual}")
    if builtin_encoders.sha256(model) != sha256:
        raise InputError(f"{folder / POINTER}: names other weights of {model} than this version: run `dvc repro`")
    return builtin_encoders.load_builtin(model)


def encode(encoder: Encoder, texts: Sequence[str], checkpoint_dir: Path, prompt: str = "") -> FloatArray:
    """Unit vectors of `texts`, with a progress bar; a killed run continues after its finished chunks.

    Args:
        encoder: an encoder, of `load_embedder` for example.
        texts: at least one text.
        checkpoint_dir: folder for the finished chunks; it must belong to these texts and this encoder.
        prompt: see `Encoder.encode`.

    Returns:
        Shape (n, dimension), float32: a memory map of a file in `checkpoint_dir`, as it may exceed the memory.
    """
    checkpoint_dir.mkdir(parents=True, exist_ok=True)
    state, file = checkpoint_dir / "finished.json", checkpoint_dir / "vectors.npy"
    finished = json.loads(state.read_text(encoding="utf-8")) if state.is_file() else 0
    if finished < len(texts):  # else worker processes would load the model in vain
        mode: Literal["r+", "w+"] = "r+" if finished else "w+"
        vectors = np.lib.format.open_memmap(file, mode, np.float32, (len(texts), encoder.dimension))
        with _workers(encoder):
            _encode_rest(partial(encoder.encode, prompt=prompt), texts, vectors, finished, state)
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


def _workers(encoder: Encoder) -> AbstractContextManager[None]:
    """Worker processes for all chunks, of an encoder that has some."""
    start = getattr(encoder, "workers", nullcontext)
    workers: AbstractContextManager[None] = start()
    return workers
