"""Translation with a causal LM by vLLM, on GPUs or its CPU build: greedy or beam search.

One call of the engine takes a whole `translate.batch_size` of queries, which it batches continuously. Its beam search
takes `max_tokens` steps, whatever the beams hold, and compares beams of different lengths by their mean over prompt and
reply together, where transformers takes the reply alone: where a beam ends early, the two may choose differently.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vllm import LLM, SamplingParams, TokensPrompt
from vllm.sampling_params import BeamSearchParams

from babelshelf.llm.base_model import DTYPES
from babelshelf.runtime.child_process import Guard

if TYPE_CHECKING:
    from babelshelf.translate.backends.vllm import Params

DEFAULT_MAX_LOGPROBS = 20  # vLLM's own


class VllmGenerator:
    """A `babelshelf.translate.causal_lm.Generator` on one engine."""

    def __init__(self, engine: LLM, settings: Params, guard: Guard) -> None:
        self.engine = engine
        self.settings = settings
        self.guard = guard

    def generate(self, prompts: Sequence[list[int]]) -> list[list[int]]:
        """What follows each prompt, see `Generator`."""
        token_prompts = [TokensPrompt(prompt_token_ids=prompt) for prompt in prompts]
        return self._beam(token_prompts) if self.settings.decoding == "beam" else self._greedy(token_prompts)

    def close(self) -> None:
        """End the engine's processes."""
        self.engine.llm_engine.engine_core.shutdown()
        self.guard.close()

    def _greedy(self, prompts: list[TokensPrompt]) -> list[list[int]]:
        params = SamplingParams(temperature=0, max_tokens=self.settings.max_tokens, stop=["\n"])
        return [list(found.outputs[0].token_ids) for found in self.engine.generate(prompts, params, use_tqdm=False)]

    def _beam(self, prompts: list[TokensPrompt]) -> list[list[int]]:
        """The best beam of each prompt: its tokens begin with the prompt's."""
        width = self.settings.beam_width
        outputs = self.engine.beam_search(
            prompts,
            BeamSearchParams(beam_width=width, max_tokens=self.settings.max_tokens),
            concurrency_limit=max(1, self.settings.max_num_seqs // width),
        )
        lengths = [len(prompt["prompt_token_ids"]) for prompt in prompts]
        return [beams.sequences[0].tokens[length:] for beams, length in zip(outputs, lengths, strict=True)]


def load(folder: Path, settings: Params) -> VllmGenerator:
    """The generator of the model in `folder`."""
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")  # read when an engine starts
    guard = Guard()
    engine = LLM(
        model=str(folder),
        dtype=DTYPES[settings.precision],
        max_model_len=settings.max_length,
        max_num_seqs=settings.max_num_seqs,
        max_logprobs=max(DEFAULT_MAX_LOGPROBS, 2 * settings.beam_width),
        tensor_parallel_size=settings.tensor_parallel,
        gpu_memory_utilization=settings.gpu_memory_utilization,
        enable_prefix_caching=True,  # the beams of a query share all but their last tokens
        generation_config="vllm",  # not the model's own, which may ask for sampling
    )
    return VllmGenerator(engine, settings, guard)
