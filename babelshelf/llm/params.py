"""Params that name a model: the built-in one, a model of the hub or a local folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from babelshelf.core.params import Section

NANO = "nano"  # the built-in model
NEWEST = "none"  # a revision: the newest commit of the main branch at the time of the download
HUB_ID = re.compile(r"([A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")
COMMIT = re.compile(r"[0-9a-f]{40}")

CPU_INFO = Path("/proc/cpuinfo")  # Linux only


def fastest_precision() -> str:
    """`bf16` if the GPU (the CPU if there is no GPU) has instructions for it, else `fp32`.

    Without such instructions, a CPU multiplies bf16 matrices about 30 times slower than fp32 ones.
    """
    import torch  # noqa: PLC0415 - slow to import, and only needed for precision: auto

    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    flags = CPU_INFO.read_text(encoding="utf-8").split() if CPU_INFO.is_file() else []
    return "bf16" if {"amx_bf16", "avx512_bf16"} & set(flags) else "fp32"


def _precision(value: object) -> object:
    if value not in ("auto", "fp32", "bf16"):
        raise ValueError("expected auto, bf16 or fp32")
    return fastest_precision() if value == "auto" else value


Precision = Annotated[Literal["fp32", "bf16"], BeforeValidator(_precision)]  # auto: `fastest_precision`


def _computed_in_bf16(weights: str, info: ValidationInfo) -> str:
    if weights == "bf16" and info.data.get("precision") == "fp32":
        raise ValueError("bf16 needs precision: bf16, as nothing more precise can come of it; or set weights: fp32")
    return weights


Weights = Annotated[Literal["fp32", "bf16"], AfterValidator(_computed_in_bf16)]  # a field after one of `Precision`
Template = Annotated[str, Field(pattern=r"^[\w-]+$")]  # a folder of prompts/


def is_folder(model: str) -> bool:
    """Whether `model` is a local folder: it begins with `/`, `./`, `../` or `~`."""
    return model.startswith(("/", "./", "../", "~"))


def _hub_id_or_folder(model: str) -> str:
    if not is_folder(model) and not HUB_ID.fullmatch(model):
        raise ValueError(
            "expected nano, a hub id such as Qwen/Qwen3-0.6B-Base, or a folder that begins with /, ./, ../ or ~"
        )
    return model


def _commit(revision: str) -> str:
    if revision != NEWEST and not COMMIT.fullmatch(revision):
        raise ValueError("expected none, or the 40 hex digits of a commit (a branch or a tag may move)")
    return revision


class SourceParams(Section):
    """Where a model comes from."""

    model: Annotated[str, AfterValidator(_hub_id_or_folder)]  # nano, an id of the Hugging Face hub, or a folder
    revision: Annotated[str, AfterValidator(_commit)]  # none, or a commit of the hub

    @field_validator("revision")
    @classmethod
    def _of_hub(cls, revision: str, info: ValidationInfo) -> str:
        model = info.data.get("model", "")
        if revision != NEWEST and (model == NANO or is_folder(model)):
            raise ValueError(f"expected none: only models of the hub have revisions, and {model} is not one")
        return revision
