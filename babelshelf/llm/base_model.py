"""A base model's folder holds the weights, or a pointer to them: `pointer.json`.

What `base_model` writes for a model of the hub or of a local folder is a pointer, so that DVC need not store weights
that are kept elsewhere. All that loads a base model goes through `weights` and `load_tokenizer`.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babelshelf.core.errors import InputError, first_line
from babelshelf.core.files import read_json, replacing, repository_root
from babelshelf.core.partial_work import fingerprint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

POINTER = "pointer.json"
CONFIG = "config.json"
MODULES = "modules.json"  # of sentence-transformers

# What repositories hold beside the weights in Hugging Face's format: the same weights again, in others.
OTHER_FORMATS = ["original/*", "consolidated*", "onnx/*", "openvino/*", "*.gguf", "*.h5", "*.msgpack", "*.ot", "*.onnx"]

# What the params `precision` and `weights` say, as torch, transformers and vLLM call it.
DTYPES = {"fp32": "float32", "bf16": "bfloat16"}

# Of config.json, what tells one model from another.
SUMMARY = ("architectures", "model_type", "hidden_size", "num_hidden_layers", "vocab_size")


def weights(folder: Path) -> Path:
    """The folder that holds the weights and the tokenizer: `folder` itself, or what its pointer names.

    Args:
        folder: `models/base/lm` or `models/base/embedder`. Its pointer has `folder` (a path) and the `fingerprint` of
            what was there, or `model` and `revision` (the hub's; downloaded where the local cache lacks it).

    Raises:
        InputError: there is no such folder, it has changed, or the model can't be downloaded.
    """
    if not (folder / POINTER).is_file():
        return folder
    pointer = read_json(folder / POINTER)
    if "folder" in pointer:
        return _unchanged(pointer["folder"], pointer["fingerprint"], folder / POINTER)
    return download(pointer["model"], pointer["revision"])


def to_folder(model: str) -> dict[str, Any]:
    """The pointer to a local folder; a path that is not absolute counts from the repository's root.

    Raises:
        InputError: it holds no model in Hugging Face's format.
    """
    folder = local_folder(model)
    if not folder.is_dir():
        raise InputError(f"{model}: no such folder ({folder}); set base_model's model to where the model is")
    return {"folder": model, "fingerprint": _fingerprint(folder), "config": _summary(folder, model)}


def to_hub(model: str, revision: str | None) -> dict[str, Any]:
    """The pointer to a model of the hub, after its download; without a revision, to the head of its main branch.

    Raises:
        InputError: there is no such model or revision, it can't be downloaded, or it is not in Hugging Face's format.
    """
    folder = download(model, revision)
    resolved = folder.name  # the cache names a snapshot's folder by its commit
    return {"model": model, "revision": resolved, "config": _summary(folder, f"{model} at {resolved}")}


def write(folder: Path, pointer: dict[str, Any]) -> None:
    """Write `pointer.json` into `folder`, in place of what is there."""
    with replacing(folder) as temporary:
        temporary.mkdir()
        text = json.dumps(pointer, indent=2, ensure_ascii=False) + "\n"
        (temporary / POINTER).write_text(text, encoding="utf-8")


def identity(folder: Path) -> str:
    """What tells this base model from all others, wherever it is kept: a digest of its weights or of its commit."""
    pointer = read_json(folder / POINTER) if (folder / POINTER).is_file() else {}
    if "revision" in pointer:
        return f"{pointer['model']}@{pointer['revision']}"
    return str(pointer["fingerprint"]) if pointer else fingerprint(folder)


def check_base(base: Path, model: Path) -> None:
    """Refuse a fine-tuned model, an adapter above all, of another base than the one in `base`.

    `sft` writes the base's `identity` into the model's `prompt.json`; a model that was made elsewhere may name none.

    Raises:
        InputError: the two differ.
    """
    made_with = read_json(model / "prompt.json").get("base")
    if made_with is not None and made_with != identity(base):
        raise InputError(
            f"{model}: was trained on another base model than {base}: on {made_with}, not {identity(base)}; "
            "run `dvc repro` for it, or put base_model in params.yaml back"
        )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a base model; one without a token that pads pads with its end of text, which is masked anyway.

    Raises:
        InputError: there is none, or it has no token that could pad.
    """
    from transformers import AutoTokenizer  # noqa: PLC0415 - not all that asks where the weights are loads them

    tokenizer = AutoTokenizer.from_pretrained(weights(folder))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise InputError(f"{weights(folder)}: its tokenizer has no token to pad with, of end of text or unknown text")
    return tokenizer


def download(model: str, revision: str | None) -> Path:
    """The folder of a model of the hub in the local cache, downloaded where the cache lacks it.

    Args:
        model: the hub's id.
        revision: a commit; None for the head of the main branch.

    Raises:
        InputError: there is no such model or revision, or it is neither in the cache nor can be downloaded.
    """
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - the built-in model needs no hub

    with _explained(model, revision):
        return Path(snapshot_download(model, revision=revision, ignore_patterns=OTHER_FORMATS))


def cached(model: str, revision: str | None) -> Path | None:
    """The folder of a model of the hub in the local cache; None where the cache lacks it, or a part of it."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415

    try:
        folder = snapshot_download(model, revision=revision, ignore_patterns=OTHER_FORMATS, local_files_only=True)
    except LocalEntryNotFoundError:
        return None
    return Path(folder)


def download_size(model: str, revision: str | None) -> int:
    """Bytes that are still to be downloaded; raises InputError as `download` does."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    with _explained(model, revision):
        files = snapshot_download(model, revision=revision, ignore_patterns=OTHER_FORMATS, dry_run=True)
    sizes = [file.file_size or 0 for file in files if file.will_download]
    return sum(sizes)


def hub_cache() -> Path:
    """Where models of the hub are kept."""
    from huggingface_hub.constants import HF_HUB_CACHE  # noqa: PLC0415

    return Path(HF_HUB_CACHE)


def local_folder(model: str) -> Path:
    """Where a folder of params.yaml is: a relative path counts from the main repository.

    An experiment runs in a copy of the repository, from where it would lead nowhere.
    """
    return repository_root() / Path(model).expanduser()


@contextmanager
def _explained(model: str, revision: str | None) -> Iterator[None]:
    """What goes wrong with the hub, as one InputError."""
    from huggingface_hub.errors import DryRunError, FileMetadataError, HfHubHTTPError  # noqa: PLC0415
    from huggingface_hub.errors import LocalEntryNotFoundError as NotCachedError  # noqa: PLC0415

    named = _named(model, revision)
    try:
        yield
    except HfHubHTTPError as error:
        raise InputError(f"{named}: {_answer(error)}") from error
    except (NotCachedError, DryRunError, FileMetadataError, ConnectionError, TimeoutError) as error:
        raise InputError(f"{named}: not in the local cache, and can't be downloaded: {_offline()}") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise InputError(f"{named}: the local cache, {hub_cache()}, can't be used: {first_line(error)}") from error


def _named(model: str, revision: str | None) -> str:
    return f"{model} at {revision}" if revision else model


def _offline() -> str:
    from huggingface_hub.constants import HF_HUB_OFFLINE  # noqa: PLC0415

    if HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set; run once with HF_HUB_OFFLINE=0, or copy the model here and name its folder"
    return "the hub does not answer; try again, or copy the model here and name its folder"


def _answer(error: Any) -> str:  # noqa: ANN401 - imported only where it occurs
    """What the hub said, and the fix."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError  # noqa: PLC0415

    if isinstance(error, GatedRepoError):
        return "its licence has to be accepted on the hub's page of the model first; then log in with `hf auth login`"
    if isinstance(error, RepositoryNotFoundError):
        return "the hub has no such model, or not for you; a folder is written ./its/path"
    if isinstance(error, RevisionNotFoundError):
        return "the hub's model has no such revision; the page of the model lists its commits"
    return f"the hub's answer: {first_line(error)}"


def _unchanged(model: str, expected: str, named_by: Path) -> Path:
    folder = local_folder(model)
    if not folder.is_dir():
        raise InputError(f"{named_by}: {folder}: no such folder; put it back, or name another in params.yaml")
    if _fingerprint(folder) != expected:
        raise InputError(f"{named_by}: {folder} has changed since; run `dvc repro -f base_model`, or put it back")
    return folder


@cache
def _fingerprint(folder: Path) -> str:
    """Of all files, read once a process: they are about to be read from the same memory again."""
    return fingerprint(folder)


def _summary(folder: Path, name: str) -> dict[str, Any]:
    if (folder / MODULES).is_file() and not (folder / CONFIG).is_file():
        return {}  # an embedder of sentence-transformers without a transformer in it
    if not (folder / CONFIG).is_file():
        raise InputError(f"{name}: no {CONFIG} in it: not a model in Hugging Face's format")
    config = read_json(folder / CONFIG)
    of_text = config.get("text_config", {})  # where images are read, too
    return {key: value for key in SUMMARY if (value := config.get(key, of_text.get(key))) is not None}
