"""The benchmark of training memory: its cases are ones that `sft` accepts, and what is estimated is what is run."""

from __future__ import annotations

import pytest

from babelshelf.preflight import memory
from benchmarks import training_memory


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("case", training_memory.CASES, ids=str)
def test_estimates_are_of_the_training_that_runs(case: training_memory.Case, precision: str) -> None:
    settings = training_memory.params(case, precision)
    run = training_memory.training_run(case, settings)
    weights = memory.shape_of(training_memory.model_config(case).to_dict()).weights

    assert (run.rows, run.tokens) == (settings.micro_batch_size, settings.max_length)
    assert run.rank == (None if settings.adapter == "none" else settings.lora.r)
    assert (run.frozen, run.precision) == ("fp32" if settings.adapter == "none" else precision, precision)
    assert (run.attention, run.checkpointing) == (settings.attention, settings.gradient_checkpointing)
    assert 2e7 < weights < 1e8
