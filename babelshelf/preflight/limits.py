"""What a machine lacks of memory, disk and models, a line each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from babelshelf.base_model.params import BaseLmParams, EmbedderParams
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.encoder.builtin_encoders import is_builtin, packages
from babelshelf.llm import base_model
from babelshelf.llm.params import NANO, NEWEST, SourceParams, is_folder
from babelshelf.preflight import memory
from babelshelf.preflight.machine import Machine
from babelshelf.preflight.memory import GIB, Shape

NEEDS = "needs about"
TRIFLE = 1.5 * GIB  # that any machine has: not worth the seconds that asking for GPUs takes


def lacks_memory(stage: str, need: float, fix: str, machine: Machine, *, on_gpus: bool = True) -> Iterator[str]:
    """`on_gpus`: of the GPUs' memory, where there are any."""
    if need <= TRIFLE:
        return
    gpus = machine.gpus if on_gpus else []
    have, where = (min(gpus), "of a GPU's memory") if gpus else (machine.memory, "of memory")
    if need > have:
        yield f"{stage}: {NEEDS} {need / GIB:.1f} GiB {where}, and there are {have / GIB:.1f}: {fix}"


def is_of_memory(line: str) -> bool:
    """Whether a line is one of `lacks_memory`."""
    return f": {NEEDS} " in line


def lacks_room(stage: str, need: float, path: Path, machine: Machine) -> Iterator[str]:
    """What the disk of `path` lacks of `need` bytes."""
    have = machine.room(path)
    if need > have:
        yield f"{stage}: needs {need / GIB:.1f} GiB of disk at {path}, and there are {have / GIB:.1f}: make room"


def lacks_model(name: str, source: SourceParams, machine: Machine) -> Iterator[str]:
    """A model that is not here and can't be fetched, or has no room."""
    if source.model == NANO:
        return
    if is_folder(source.model):
        if not base_model.local_folder(source.model).is_dir():
            yield f"{name}: {source.model}: no such folder ({base_model.local_folder(source.model)})"
        return
    revision = None if source.revision == NEWEST else source.revision
    if base_model.cached(source.model, revision) is not None:
        return
    try:
        size = base_model.download_size(source.model, revision)
    except InputError as error:  # one line among those of other stages
        yield f"{name}: {error.message}"
    else:
        yield from lacks_room(name, size, base_model.hub_cache(), machine)


def lacks_embedder(name: str, source: EmbedderParams, machine: Machine) -> Iterator[str]:
    """Like `lacks_model`, of the embedder: a package that is not installed, or one with other weights."""
    if not is_builtin(source.model):
        yield from lacks_model(name, source, machine)
        return
    for weights in packages(source.model):
        try:
            weights.check()
        except InputError as error:
            yield f"{name}: {error.message}"


def base_shape(lm: BaseLmParams) -> Shape | None:
    """The shape of the base LM; None where it is in neither a folder nor the hub's cache."""
    if nano := lm.nano if lm.model == NANO else None:
        width = nano.hidden_size // nano.heads
        return Shape(
            hidden=nano.hidden_size,
            intermediate=nano.intermediate_size,
            layers=nano.layers,
            heads=nano.heads,
            kv_heads=nano.heads,
            head_dim=width,
            vocabulary=nano.vocab_size,
            tied=True,
        )
    return shape_of(lm)


def shape_of(lm: SourceParams) -> Shape | None:
    """The shape of a model that is in a folder or in the hub's cache; None where it is not."""
    if is_folder(lm.model):
        folder: Path | None = base_model.local_folder(lm.model)
    else:
        folder = base_model.cached(lm.model, None if lm.revision == NEWEST else lm.revision)
    config = folder / base_model.CONFIG if folder else None
    return memory.shape_of(read_json(config)) if config is not None and config.is_file() else None
