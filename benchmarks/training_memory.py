"""Peak memory of training on a CPU beside the estimate of `babelshelf.preflight.memory`, for small causal LMs.

    OMP_NUM_THREADS=1 python -m benchmarks.training_memory
    python -m benchmarks.training_memory --precision bf16    # where the CPU has instructions for it

Models have random weights in Qwen3's layout, grouped-query attention and 8,000 tokens. Each case takes two steps of
eight prompts of 256 tokens in a process of its own, whose largest resident set is shown. LoRA has rank 32; with bf16
the frozen weights are bf16, too.
"""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import click
import polars as pl
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from babelshelf.llm.params import fastest_precision
from babelshelf.llm.prompts import load_template
from babelshelf.preflight import memory
from babelshelf.sft.fine_tuning import fine_tune
from babelshelf.sft.params import SftParams
from benchmarks import shapes
from benchmarks.alone import alone

ROWS, TOKENS, RANK = 8, 256, 32
TEMPLATE = "alpaca"


class Case(NamedTuple):
    """A training: the model's layers and width, what is trained (`lora` or `none`, all weights), and how."""

    layers: int
    width: int
    adapter: str
    attention: str
    checkpointing: bool


CASES = (
    Case(8, 512, "none", "eager", checkpointing=False),
    Case(12, 768, "none", "sdpa", checkpointing=False),
    Case(8, 512, "lora", "eager", checkpointing=False),
    Case(12, 768, "lora", "sdpa", checkpointing=True),
    Case(8, 512, "lora", "eager", checkpointing=True),
)


@click.command(help=__doc__)
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), default=fastest_precision, help="[default: fastest]")
def main(*, precision: str) -> None:
    click.echo(
        "| weights | layers, width | trained | precision | attention | checkpointing | measured, GiB | estimated |"
    )
    click.echo("| --: | :-- | :-- | :-- | :-- | :-- | --: | --: |")
    for case in CASES:
        shape = memory.shape_of(model_config(case).to_dict())
        estimated = memory.training(shape, training_run(case, params(case, precision)))
        with tempfile.TemporaryDirectory() as name:
            save_base(case, Path(name))
            measured = alone(trained, case, precision, Path(name))["peak"]
        parts, checkpointing = "all" if case.adapter == "none" else "LoRA", "yes" if case.checkpointing else "no"
        click.echo(
            f"| {shape.weights / 1e6:.0f}M | {case.layers}, {case.width} | {parts} | {precision} | {case.attention} "
            f"| {checkpointing} | {measured / memory.GIB:.2f} | {estimated / memory.GIB:.2f} |"
        )


def rows() -> pl.DataFrame:
    """Of two steps; their prompts are longer than is used of them."""
    return shapes.rows(2 * ROWS, words=TOKENS)


def save_base(case: Case, folder: Path) -> None:
    """A model with random weights, and a tokenizer."""
    shapes.tokenizer(TEMPLATE, rows()).save_pretrained(folder)
    torch.manual_seed(1)
    Qwen3ForCausalLM(model_config(case)).save_pretrained(folder)


def trained(case: Case, precision: str, base: Path) -> dict[str, Any]:
    """The peak of this process's memory after training, in bytes."""
    template = load_template(Path("prompts", TEMPLATE, "qi.txt"))
    settings = params(case, precision)
    fine_tune(rows(), base, template, settings=settings, seed=1, checkpoints=base / "checkpoints")
    return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def model_config(case: Case) -> Qwen3Config:
    """Heads of 64 channels, one of keys and values for two of queries, and 8/3 of the width in between."""
    heads = case.width // 64
    return Qwen3Config(
        hidden_size=case.width,
        intermediate_size=case.width * 8 // 3,
        num_hidden_layers=case.layers,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        head_dim=64,
        vocab_size=8000,
        tie_word_embeddings=True,
    )


def params(case: Case, precision: str) -> SftParams:
    lora = {"r": RANK, "alpha": 64, "dropout": 0.1, "target_modules": "all-linear", "modules_to_save": []}
    weights = precision if case.adapter == "lora" else "fp32"
    schedule = {"epochs": 1.0, "steps": "none", "batch_size": ROWS, "micro_batch_size": ROWS, "packing": "none"}
    schedule |= {
        "kernels": "none",
        "warmup_share": 0.1,
        "weight_decay": 0.01,
        "learning_rate": 1e-4,
        "embedding_learning_rate": 1e-4,
    }
    return SftParams.model_validate(
        {"adapter": case.adapter, "lora": lora, "template": TEMPLATE, "max_length": TOKENS, "accelerate": "given"}
        | {"precision": precision, "weights": weights, "attention": case.attention}
        | {"gradient_checkpointing": case.checkpointing}
        | schedule
    )


def training_run(case: Case, settings: SftParams) -> memory.TrainingRun:
    return memory.TrainingRun(
        rows=ROWS,
        tokens=TOKENS,
        rank=RANK if case.adapter == "lora" else None,
        frozen=settings.weights,
        precision=settings.precision,
        attention=case.attention,
        checkpointing=case.checkpointing,
        shards=1,
        fused=False,
    )


if __name__ == "__main__":
    main()
