"""A base model's folder holds the weights, or a pointer to them: `pointer.json`, with a hub id and its revision.

What `base_model` writes for a model of the hub or of a local folder is a pointer, so that DVC need not store weights
that are kept elsewhere. All that loads a base model goes through `weights`.
"""

from __future__ import annotations

from pathlib import Path

from babelshelf.errors import InputError
from babelshelf.files import read_json

POINTER = "pointer.json"


def weights(folder: Path) -> Path:
    """The folder that holds the weights and the tokenizer: `folder` itself, or what its pointer names.

    Args:
        folder: `models/base/lm` or `models/base/embedder`. Its pointer has `folder` (a path), or `model` and
            `revision` (the hub's; downloaded where the local cache lacks it).

    Raises:
        InputError: there is no such folder, or the model can't be had.
    """
    if not (folder / POINTER).is_file():
        return folder
    pointer = read_json(folder / POINTER)
    if "folder" in pointer:
        return _local(Path(pointer["folder"]), folder / POINTER)
    return _of_hub(pointer["model"], pointer["revision"])


def _local(folder: Path, named_by: Path) -> Path:
    if not folder.is_dir():
        raise InputError(f"{named_by}: {folder}: no such folder; run `dvc repro -f base_model` once it is there")
    return folder


def _of_hub(model: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - a model that is made here needs no hub
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415

    try:
        return Path(snapshot_download(model, revision=revision))
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise InputError(f"{model} at {revision}: not in the local cache and not to be had: {error}") from error
