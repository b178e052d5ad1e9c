"""Where an exported model's base comes from, and the terms that it is under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

from babelshelf.core.files import read_json
from babelshelf.encoder import builtin_encoders
from babelshelf.llm.base_model import POINTER, cached, local_folder

GEMMA = "https://ai.google.dev/gemma/terms"
CARD = "README.md"


@dataclass(frozen=True)
class Origin:
    """A base model.

    Attributes:
        text: what it is, in words.
        hub: its id on the hub and its revision; None where it is not from there.
        license: as the hub calls it; None where the model does not say.
        terms: what the card says of the licence.
    """

    text: str
    hub: tuple[str, str] | None
    license: str | None
    terms: str


def origin(folder: Path) -> Origin:
    """Of a base model's folder: `models/base/lm`, `models/base/embedder`, or a classifier's `embedder`."""
    return origin_of_pointer(read_json(folder / POINTER) if (folder / POINTER).is_file() else {})


def origin_of_pointer(pointer: Mapping[str, Any]) -> Origin:
    """Of what a base model's folder says of it, see `babelshelf.llm.base_model`; empty: of the built-in LM."""
    if "builtin" in pointer:
        return _builtin(pointer["builtin"])
    if not pointer:
        return Origin("a small LM that was pre-trained for this task", None, None, "It is based on no model of others.")
    hub = (pointer["model"], pointer["revision"]) if "revision" in pointer else None
    name = f"{hub[0]} (commit {hub[1]})" if hub else f"a model from the folder {Path(pointer['folder']).name}"
    licence = _licence(pointer)
    return Origin(name, hub, licence, _terms(licence))


def teacher_terms(base: Mapping[str, Any]) -> str:
    """What the card of a student says of the licence of its teacher's base model, of whose pointer `base` is."""
    if _licence(base) == "gemma":
        return (
            f"Its teacher is a derivative of Gemma, and the [Gemma Terms of Use]({GEMMA}) count a model that was "
            "distilled from one among Gemma's derivatives: they go for this model too."
        )
    name = base.get("model") or base.get("folder")
    return (
        f"Its teacher was trained on {name}: look up whether that model's licence goes for what learns from it."
        if name
        else ""
    )


def _builtin(name: str) -> Origin:
    packages = [weights.package for weights in builtin_encoders.packages(name)]
    named = ", ".join(f"{package} ({_package_licence(package)})" for package in packages)
    return Origin(
        f"the sentence encoder {name}",
        None,
        None,
        f"The encoder is no part of this folder: it comes with the Python package {named}.",
    )


def _package_licence(package: str) -> str:
    try:
        found = metadata(package).json
    except PackageNotFoundError:
        return "not installed here"
    stated = found.get("license_expression") or found.get("license") or "see the package for its licence"
    return str(stated).splitlines()[0]


def _licence(pointer: Mapping[str, Any]) -> str | None:
    """What the model's own card says, where it is here, or its architecture where that has terms of its own."""
    from huggingface_hub import ModelCard  # noqa: PLC0415 - slow to import

    folder = local_folder(pointer["folder"]) if "folder" in pointer else cached_folder(pointer)
    if folder is not None and (folder / CARD).is_file():
        stated = ModelCard.load(folder / CARD, ignore_metadata_errors=True).data.license
        if isinstance(stated, str):
            return stated
    kind = str(pointer.get("config", {}).get("model_type", ""))
    return "gemma" if kind.startswith("gemma") else None


def cached_folder(pointer: Mapping[str, Any]) -> Path | None:
    """Where a model of the hub is in the local cache; None where it is not, or the pointer names none."""
    return cached(pointer["model"], pointer["revision"]) if "revision" in pointer else None


def _terms(licence: str | None) -> str:
    if licence == "gemma":
        return (
            f"It is a derivative of Gemma, under the [Gemma Terms of Use]({GEMMA}): who passes it on must pass on "
            "these terms and its prohibited uses with it, and a notice that it was changed."
        )
    if licence is None:
        return "The files of the base model name no licence: look it up before you pass this model on."
    return f"The base model is under the licence `{licence}`, whose terms go for this model too."
