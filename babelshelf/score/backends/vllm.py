"""VLLM on this machine, on GPUs or its CPU build: the base model with the LoRA adapter, or all weights.

The numbers are those of this engine and this precision: calibrate the threshold on the path that serves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise, repeat
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from pydantic import Field

from babelshelf.core.errors import InputError
from babelshelf.llm.requirements import MergedAdapter, Package, Requirement, VllmEngines
from babelshelf.runtime.child_process import Guard, end_with_parent
from babelshelf.score.params import VllmEngineParams
from babelshelf.score.vllm_serving import EngineGroup, Serving, VllmScorer, p_yes_from_logprobs, served_model

if TYPE_CHECKING:
    from babelshelf.score.params import ScoreParams

SECTION = """
precision: auto # bf16 where the GPU or CPU computes in it, else fp32; or bf16, fp32
adapter: lora # beside the base model, or merged: into its weights, before it is loaded
tensor_parallel: 1 # GPUs that a model is split over
data_parallel: 1 # engines, each a process with GPUs of its own, that share the pairs
gpu_memory_utilization: 0.9 # of each GPU; on a CPU, of the memory
enforce_eager: false # true: no graphs are compiled, which starts sooner and runs slower
"""
CHUNK = 16_384  # pairs: at the end of each an engine runs empty, and a kill loses at most one


class Params(VllmEngineParams):
    """The section `score.vllm`."""

    data_parallel: int = Field(ge=1)  # engines, each a process


def requirements(settings: ScoreParams, longest: int, *, adapted: bool) -> Iterator[Requirement]:
    """What scoring needs; `longest` are the tokens of the longest prompt, `adapted` says whether it has an adapter."""
    own = settings.own(Params)
    yield Package("vllm", "pip install -e '.[vllm]'")
    yield VllmEngines(own.data_parallel, own.tensor_parallel, own.gpu_memory_utilization, own.precision, longest)
    if adapted and own.adapter == "merged":
        yield MergedAdapter(own.precision, "set score.vllm.adapter: lora")


@contextmanager
def load(base: Path, model: Path, settings: ScoreParams) -> Iterator[VllmScorer]:
    """A scorer from what `sft` wrote; its engines are shut down at the end.

    Args:
        base: folder of the base model, which also holds the tokenizer.
        model: folder of an adapter, or of all weights; its `prompt.json` says which prompt it was trained with.
        settings: the section `score`.

    Raises:
        InputError: the adapter has what vLLM cannot serve beside a base model, or there are too few GPUs.
    """
    own = settings.own(Params)
    with served_model(base, model, own) as served, started_engines(served.serving, own.data_parallel) as engines:
        yield served.scorer(engines, CHUNK)


class Engine:
    """vLLM in this process (its core runs in a process of its own)."""

    def __init__(self, serving: Serving) -> None:
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        if serving.devices:
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(serving.devices)
        from vllm import LLM, SamplingParams  # noqa: PLC0415 - slow to import, and it reads the variables above
        from vllm.lora.request import LoRARequest  # noqa: PLC0415

        self._guard = Guard()
        self._llm = LLM(model=serving.weights, **serving.engine())
        self._lora = LoRARequest("adapter", 1, serving.adapter) if serving.adapter else None
        self._answers = serving.answers
        self._sampling = SamplingParams(**serving.sampling())

    def p_yes(self, prompts: pl.Series) -> np.ndarray:
        """p(yes) of each prompt."""
        inputs = [{"prompt_token_ids": prompt} for prompt in prompts.to_list()]
        outputs = self._llm.generate(inputs, self._sampling, lora_request=self._lora, use_tqdm=False) if inputs else []
        of_answers = [
            {token: entry.logprob for token, entry in output.outputs[0].logprobs[0].items()} for output in outputs
        ]
        return np.array([p_yes_from_logprobs(logprobs, self._answers) for logprobs in of_answers], np.float64)

    def close(self) -> None:
        """End the engine's processes."""
        self._llm.llm_engine.engine_core.shutdown()
        self._guard.close()


class EnginePool:
    """Engines in processes of their own: vLLM's `LLM` raises when asked for data parallelism within one."""

    def __init__(self, pools: Sequence[ProcessPoolExecutor]) -> None:
        self._pools = pools

    def p_yes(self, prompts: pl.Series) -> np.ndarray:
        """p(yes) of each prompt; each engine gets a run of them, so that its prefixes stay together."""
        ends = np.linspace(0, len(prompts), len(self._pools) + 1).astype(int)
        parts = [prompts[start:end] for start, end in pairwise(ends)]
        futures = [pool.submit(_p_yes, part) for pool, part in zip(self._pools, parts, strict=True)]
        return np.concatenate([future.result() for future in futures])


@contextmanager
def started_engines(serving: Serving, replicas: int) -> Iterator[EngineGroup]:
    """Engines that are shut down at the end: one in this process, or `replicas` in processes of their own."""
    if replicas == 1:
        engine = Engine(serving)
        try:
            yield engine
        finally:
            engine.close()
        return
    with ExitStack() as stack:
        pools = []
        for devices in gpus_by_engine(replicas, serving.tensor_parallel):
            own = replace(serving, devices=devices)
            pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_start, initargs=(own,))
            pools.append(stack.enter_context(pool))
            stack.callback(pool.submit, _stop)  # before the pool is left, which waits for it
        yield EnginePool(pools)


def gpus_by_engine(replicas: int, each: int) -> Iterator[tuple[str, ...]]:
    """The GPUs of each engine, none without GPUs; raise InputError where there are too few."""
    import torch  # noqa: PLC0415

    if not torch.cuda.is_available():
        return repeat((), replicas)
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    visible = named.split(",") if named else [str(number) for number in range(torch.cuda.device_count())]
    if len(visible) < replicas * each:
        raise InputError(
            f"score.vllm: data_parallel {replicas} with tensor_parallel {each} needs {replicas * each} GPUs, "
            f"there are {len(visible)}: lower one of them"
        )
    return iter([tuple(visible[number * each : (number + 1) * each]) for number in range(replicas)])


_own: list[Engine] = []  # of a process that is a replica


def _start(serving: Serving) -> None:
    end_with_parent()
    _own.append(Engine(serving))


def _p_yes(prompts: pl.Series) -> np.ndarray:
    return _own[0].p_yes(prompts)


def _stop() -> None:
    _own.pop().close()
