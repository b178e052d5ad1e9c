"""Scoring by Ray Data's LLM processor: replicas, each with an engine of vLLM, share the prompts.

Prompts go in as Parquet shards, p(yes) comes out as Parquet shards, in a folder that all machines see. Ray gives a
shard to whichever replica is free, starts a replica that died again, and keeps count of the rows that are written
(`ray.data.checkpoint`), so that a run that was killed goes on with the shards that it had not finished.

The numbers are those of this engine and this precision: calibrate the threshold on the path that serves.
"""

from __future__ import annotations

import logging
import math
import re
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from babelshelf.core.errors import InputError
from babelshelf.core.partial_work import fingerprint, partial_work
from babelshelf.score.backends.ray.cluster import connected, device
from babelshelf.score.backends.ray.shards import Shards, digest
from babelshelf.score.vllm_serving import Serving, VllmScorer, served_model

if TYPE_CHECKING:
    from babelshelf.score.backends.ray import Params

CHUNK = 1_048_576  # pairs: each chunk starts the engines anew, and lies in this process's memory
CONCURRENT = 2  # shards that a replica works on at once, so that it does not run empty at the end of one
RESTARTS = 3  # of a replica, and of a shard on another one
STALLED = 1800.0  # seconds without a finished shard, the loading of the weights included


@contextmanager
def load(base: Path, model: Path, settings: Params) -> Iterator[VllmScorer]:
    """A scorer from what `sft` wrote; finished shards are kept until it is left without an error.

    Args:
        base: folder of the base model, which also holds the tokenizer.
        model: folder of an adapter, or of all weights; its `prompt.json` says which prompt it was trained with.
        settings: the section `score.ray`.

    Raises:
        InputError: the adapter has what vLLM cannot serve beside a base model; there is no cluster at the address; it
            has no room for the replicas; a machine of it does not see the models.
    """
    with served_model(base, model, settings) as served, ExitStack() as work:
        serving = _with_whole_paths(served.serving)
        with connected(settings, serving):
            yield served.scorer(RayReplicas(serving, settings, fingerprint(base, model, settings), work), CHUNK)


class RayReplicas:
    """Engines on the machines of a cluster.

    Args:
        serving: what each of them serves.
        settings: how many there are, and their shards.
        key: of all that p(yes) depends on but the prompts.
        work: what keeps the finished shards.
    """

    def __init__(self, serving: Serving, settings: Params, key: str, work: ExitStack) -> None:
        self._serving = serving
        self._settings = settings
        self._key = key
        self._work = work
        self._shards: dict[str, Shards] = {}

    def p_yes(self, prompts: pl.Series) -> np.ndarray:
        """p(yes) of each prompt."""
        shards = self._shards_of(digest(prompts))
        shards.write(prompts, self._settings.shard)
        if len(prompts) > shards.count_finished():
            with _errors_in_a_line():
                self._run(shards)
        return shards.read(len(prompts))

    def _shards_of(self, prompts: str) -> Shards:
        if prompts not in self._shards:
            folder = self._work.enter_context(partial_work("ray", self._key, prompts))
            self._shards[prompts] = Shards(folder.absolute())
        return self._shards[prompts]

    def _run(self, shards: Shards) -> None:
        """Score the prompts that were not scored before."""
        import ray  # noqa: PLC0415 - slow to import, and an extra
        from ray.data.checkpoint import CheckpointConfig  # noqa: PLC0415

        context = ray.data.DataContext.get_current()
        context.execution_no_progress_timeout_s = STALLED
        context.checkpoint_config = CheckpointConfig("number", str(shards.finished), delete_checkpoint_on_success=False)
        prompts = ray.data.read_parquet(str(shards.prompts))
        blocks = prompts.repartition(target_num_rows_per_block=self._settings.shard)  # read_parquet joins files
        processor(self._serving, self._settings)(blocks).write_parquet(str(shards.p_yes), mode="append")


def processor(serving: Serving, settings: Params) -> Any:  # noqa: ANN401 - ray is no dependency
    """Ray's LLM processor: `number` and `tokenized_prompt` to `number` and `p_yes`."""
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig  # noqa: PLC0415

    # Without it, Ray takes its own executor, which spreads a model over machines.
    here = {"distributed_executor_backend": "mp"} if serving.tensor_parallel > 1 else {}
    config = vLLMEngineProcessorConfig(
        model_source=serving.weights,
        engine_kwargs=serving.engine() | here,
        concurrency=(settings.replicas, settings.replicas),
        batch_size=settings.shard,
        max_concurrent_batches=CONCURRENT,
        placement_group_config={"bundles": [{device(): serving.tensor_parallel}]},
        log_engine_metrics=False,
        chat_template_stage=False,
        tokenize_stage=False,
        detokenize_stage=False,
    )
    request = {"sampling_params": serving.sampling()} | ({"model": serving.adapter} if serving.adapter else {})
    answers = serving.answers

    # Closures that use nothing of this package: it need not be installed on the cluster's machines.
    def preprocess(_row: dict[str, Any]) -> dict[str, Any]:
        return request

    def postprocess(row: dict[str, Any]) -> dict[str, Any]:
        no_yes = [row["logprobs"][0][answer]["logprob"] for answer in answers]
        return {"number": row["number"], "p_yes": (1 + math.tanh((no_yes[1] - no_yes[0]) / 2)) / 2}

    built = build_processor(config, preprocess=preprocess, postprocess=postprocess)
    bounds = {"max_restarts": RESTARTS, "max_task_retries": RESTARTS}  # Ray Data's own defaults have no end
    built.get_stage_by_name("vLLMEngineStage").map_batches_kwargs.update(bounds)
    return built


@contextmanager
def _errors_in_a_line() -> Iterator[None]:
    import ray  # noqa: PLC0415
    from ray.data.exceptions import ExecutionTimeoutError, SystemException  # noqa: PLC0415

    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):  # the file of it has all
            handler.setLevel(logging.CRITICAL)
    try:
        yield
    except (ray.exceptions.RayError, ExecutionTimeoutError, SystemException) as error:
        logs = "finished shards are kept; logs: /tmp/ray/session_latest/logs, of the machine where it happened"
        raise InputError(f"score.backend: ray: a replica failed: {reason(str(error))}; {logs}") from error


def reason(text: str) -> str:
    """The first error in a text of tracebacks, the cause of the others, in a line; without one, the last line."""
    lines = [line.strip() for line in text.strip().splitlines()]
    errors = [number for number, line in enumerate(lines) if re.match(r"[\w.]+(Error|Exception): ", line)]
    start = errors[0] if errors else len(lines) - 1
    return textwrap.shorten(" ".join(lines[start : start + 2]), 300)


def _with_whole_paths(serving: Serving) -> Serving:
    """A replica runs in another folder."""
    adapter = serving.adapter
    return replace(
        serving,
        weights=str(Path(serving.weights).absolute()),
        adapter=None if adapter is None else str(Path(adapter).absolute()),
    )
