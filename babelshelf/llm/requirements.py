"""What a backend needs of the machine: compared by `babelshelf check`, and by each stage when it starts.

A backend states it, in a function `requirements`, in these terms; `babelshelf.preflight` measures the machine. Where a
requirement is about a model, `source` names it; None is the base model that `base_model` names.
"""

from __future__ import annotations

from dataclasses import dataclass

from babelshelf.llm.params import SourceParams


@dataclass(frozen=True)
class Package:
    """A Python package.

    Attributes:
        name: that it is imported by.
        install: the command that installs it.
    """

    name: str
    install: str


@dataclass(frozen=True)
class Gpus:
    """GPUs with CUDA on this machine."""

    count: int


@dataclass(frozen=True)
class Memory:
    """Free memory, of a GPU where there are any.

    Attributes:
        gib: GiB of it.
        fix: what to do where there is less.
    """

    gib: float
    fix: str


@dataclass(frozen=True)
class Model:
    """A model that is needed, from a folder or the hub.

    Attributes:
        param: the section that names it.
        source: the model.
    """

    param: str
    source: SourceParams


@dataclass(frozen=True)
class VllmEngines:
    """Engines of vLLM, on GPUs or its CPU build.

    Attributes:
        count: engines, each with the whole model.
        tensor_parallel: GPUs of each.
        memory_share: of a GPU's memory that an engine may take.
        precision: `fp32` or `bf16`, of the weights.
        longest: tokens of the longest prompt.
        source: the model.
    """

    count: int
    tensor_parallel: int
    memory_share: float
    precision: str
    longest: int
    source: SourceParams | None = None

    @property
    def gpus(self) -> int:
        """GPUs of all engines; on the CPU build, processes."""
        return self.count * self.tensor_parallel


@dataclass(frozen=True)
class Generation:
    """A causal LM that generates with transformers.

    Attributes:
        sequences: that are generated at once, beams counted.
        precision: `fp32` or `bf16`, of the weights.
        longest: tokens of the longest prompt and what follows it.
        fix: what to do where there is too little memory.
        source: the model.
    """

    sequences: int
    precision: str
    longest: int
    fix: str
    source: SourceParams | None = None


@dataclass(frozen=True)
class Scoring:
    """The base model, scoring with transformers.

    Attributes:
        tokens: padded tokens of a batch.
        longest: tokens of the longest row.
        precision: `fp32` or `bf16`, that is computed in.
        weights: `fp32` or `bf16`, as they are kept.
        attention: `eager` or `sdpa`.
        fix: what to do where there is too little memory.
    """

    tokens: int
    longest: int
    precision: str
    weights: str
    attention: str
    fix: str


@dataclass(frozen=True)
class MergedAdapter:
    """The base model's weights with the adapter added, in memory and on disk.

    Attributes:
        precision: `fp32` or `bf16`, as they are written.
        fix: what to do where there is too little memory.
    """

    precision: str
    fix: str


Requirement = Package | Gpus | Memory | Model | VllmEngines | Generation | Scoring | MergedAdapter
