"""What one step of LoRA fine-tuning costs in a model's real shape: memory of each process, tokens a second, MFU.

    python -m benchmarks.lora_step                                      # the tiny shape, on whatever is here
    accelerate launch --config_file profiles/accelerate/fsdp.yaml -m benchmarks.lora_step \
        --shape qwen3-14b --batch-size 128 --micro-batch-size 2 --attention flash_attention_2 \
        --packing padding_free --gradient-checkpointing --peak-tflops 165

The weights are random, written to --base once (29 GB for 14B) and loaded from there by the code of the stage `sft`,
with the published LoRA (r = 32, dropout 0.1), in bf16 where the device has instructions for it and in fp32 elsewhere.
Every prompt is as long as --max-length allows.

Model FLOPs utilization (MFU, arXiv 2204.02311, appendix B): the FLOPs that the model needs, without those of recomputed
activations, over the devices' peak. A frozen matrix takes 4 FLOPs a token and weight (forward, and the gradient of its
input), a trained one 6; causal attention 6 a token, layer, channel and position that is seen, times two products and
half of the positions.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import psutil
import torch
from transformers import AutoConfig, TrainerCallback

from babelshelf.llm.params import fastest_precision
from babelshelf.llm.prompts import load_template
from babelshelf.sft.fine_tuning import fine_tune
from babelshelf.sft.params import SftParams
from babelshelf.trainer import distributed
from babelshelf.trainer.trainers import AnswerTrainer
from benchmarks import shapes

TEMPLATE = "alpaca"
LORA_RANK = 32
GIB = 2**30


class Clock(TrainerCallback):  # type: ignore[misc]
    """Seconds of each step, and the peak of this process's memory."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_step_begin(self, *_: Any, **__: Any) -> None:  # noqa: ANN401, D102
        self.began = _now()

    def on_step_end(self, *_: Any, **__: Any) -> None:  # noqa: ANN401, D102
        self.seconds.append(_now() - self.began)


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


@click.command(help=__doc__)
@click.option("--shape", type=click.Choice(sorted(shapes.SHAPES)), default="tiny")
@click.option("--batch-size", default=8, help="of a step, over all processes")
@click.option("--micro-batch-size", default=2)
@click.option("--max-length", default=512, help="tokens of a prompt")
@click.option("--steps", default=4, help="the first is not counted")
@click.option("--attention", default="sdpa")
@click.option("--kernels", type=click.Choice(["none", "liger"]), default="none")
@click.option("--packing", default="none")
@click.option("--gradient-checkpointing", is_flag=True)
@click.option("--peak-tflops", type=float, help="of one device, dense bf16, by its data sheet")
@click.option("--base", type=click.Path(path_type=Path), default=Path(tempfile.gettempdir()) / "babelshelf-random")
def main(*, shape: str, steps: int, peak_tflops: float | None, base: Path, **settings: Any) -> None:  # noqa: ANN401
    here = distributed.state()
    rows = shapes.rows(settings["batch_size"] * steps, words=settings["max_length"])
    folder = base / shape
    if here.is_main_process and not (folder / "tokenizer.json").is_file():
        shapes.save_base(folder, shape, torch.bfloat16, shapes.tokenizer(TEMPLATE, rows))
    checkpoints = base / "checkpoints"
    if here.is_main_process:
        shutil.rmtree(checkpoints, ignore_errors=True)  # of a run that was killed: its steps would not be timed
    here.wait_for_everyone()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()  # the weights were drawn there
    clock = Clock()

    class Timed(AnswerTrainer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            super().__init__(*args, **kwargs)
            self.add_callback(clock)

    params = _params(settings)
    tuned = fine_tune(
        rows,
        folder,
        load_template(Path("prompts", TEMPLATE, "qi.txt")),
        settings=params,
        seed=1,
        checkpoints=checkpoints,
        trainer_class=Timed,
    )
    memory = _gathered(_peak_memory() / GIB)
    if here.is_main_process:
        shutil.rmtree(checkpoints)
        seconds = sum(clock.seconds[1:]) / (steps - 1)
        tokens = tuned.counts["prompt_tokens"] / steps
        flops = model_flops(AutoConfig.from_pretrained(folder), tokens, tuned.counts["prompt_tokens"] / len(rows))
        result = {"shape": shape, "processes": here.num_processes, "device": str(here.device), **settings}
        result |= {"precision": params.precision, "tokens_a_step": round(tokens), "seconds_a_step": round(seconds, 3)}
        result |= {"tokens_a_second": round(tokens / seconds), "tflops": round(flops / seconds / 1e12, 4)}
        if peak_tflops is not None:
            result["mfu"] = round(flops / seconds / 1e12 / peak_tflops / here.num_processes, 4)
        click.echo(json.dumps(result | {"peak_memory_gib": [round(one, 2) for one in memory]}))


def model_flops(config: Any, tokens: float, length: float) -> float:  # noqa: ANN401 - of transformers
    """FLOPs that a step of LoRA on all linear maps needs for `tokens` tokens, in prompts of `length`."""
    maps = shapes.layer_maps(config)
    channels = config.num_attention_heads * config.head_dim
    frozen = sum(wide * high for wide, high in maps)
    trained = sum(LORA_RANK * (wide + high) for wide, high in maps)
    attention = 6 * 2 * channels * length / 2
    return float(tokens * config.num_hidden_layers * (4 * frozen + 6 * trained + attention))


def _params(settings: dict[str, Any]) -> SftParams:
    """The published setting in the fastest precision, with what the command line says."""
    precision = fastest_precision()
    lora = {"r": LORA_RANK, "alpha": 64, "dropout": 0.1, "target_modules": "all-linear", "modules_to_save": []}
    fixed = {"adapter": "lora", "lora": lora, "template": TEMPLATE, "accelerate": "given"}
    fixed |= {"precision": precision, "weights": precision, "warmup_share": 0.1, "weight_decay": 0.01, "epochs": 1.0}
    fixed |= {"steps": "none"}
    return SftParams.model_validate(fixed | {"learning_rate": 7.5e-5, "embedding_learning_rate": 7.5e-5} | settings)


def _peak_memory() -> float:
    """Bytes: of this process on its GPU, or of its resident set now."""
    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated())
    return float(psutil.Process().memory_info().rss)


def _gathered(value: float) -> list[float]:
    from accelerate.utils import gather_object  # noqa: PLC0415 - only after the processes have been started

    found: list[float] = gather_object([value])
    return found


if __name__ == "__main__":
    main()
