"""Training tokens a second of this project's trainer beside a plain SFTTrainer's, on the same rows, in one run.

    python -m benchmarks.training_speed nano                    # all weights of the nano model, 4,096 rows
    python -m benchmarks.training_speed qwen3-0.6b --rows 16    # LoRA r = 32 at Qwen3-0.6B's shape, random weights

Rows are those of a training set (by default what `prepare` made of the demo). *plain* is TRL's SFTTrainer on `prompt`
and `completion` with an SFTConfig of defaults; *plain, our batches* has our batch size, rows by length, and no gradient
checkpointing; *ours* is `fit`. All train in the fastest precision of the machine (TRL's default is bf16, which a CPU
without instructions for it computes some 30 times slower than fp32). A token counts once, if it is one of a prompt.
Seconds are those of `train()` (of CPU time, where there is no GPU): rows are encoded before. Each is run --rounds times
in turn, and the best counts.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import polars as pl
import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
from trl import SFTConfig, SFTTrainer

from babelshelf.base_model.nano_lm import new_model, train_tokenizer
from babelshelf.base_model.params import BaseModelParams
from babelshelf.core.params import load
from babelshelf.core.rows import read_rows
from babelshelf.llm.params import fastest_precision
from babelshelf.llm.prompts import Template, answer_ids, encode, load_template
from babelshelf.sft.fine_tuning import with_lora
from babelshelf.sft.params import LoraParams
from babelshelf.trainer.batches import with_labels
from babelshelf.trainer.schedule import CHECKPOINTING, Schedule
from babelshelf.trainer.trainers import AnswerTrainer
from babelshelf.trainer.training import Training
from benchmarks import shapes

LORA = LoraParams(r=32, alpha=64, dropout=0.1, target_modules="all-linear", modules_to_save=[])
SETTINGS = {"nano": ("short", 64), "qwen3-0.6b": ("alpaca", 8)}  # template, batch size


@click.command(help=__doc__)
@click.argument("shape", type=click.Choice(sorted(SETTINGS)))
@click.option("--train", type=click.Path(path_type=Path, exists=True), default="data/original/qc/train.parquet")
@click.option("--rows", "count", default=4096)
@click.option("--rounds", default=2)
def main(*, shape: str, train: Path, count: int, rounds: int) -> None:
    template = load_template(Path("prompts", SETTINGS[shape][0], "qc.txt"))
    rows = read_rows(train).filter(pl.col("label").is_not_null()).head(count)
    texts = [template.render(row) + answer for row in rows.to_dicts() for answer in (template.no, template.yes)]
    tokenizer = train_tokenizer(texts, 6144)
    tokens = sum(map(len, encode(rows, template, tokenizer, 512).ids))
    runs: dict[str, Callable[[], float]] = {
        "plain": lambda: _plain(random_model(shape, tokenizer), tokenizer, rows, template, {}),
        "plain, our batches": lambda: _plain(
            random_model(shape, tokenizer), tokenizer, rows, template, _like_ours(shape)
        ),
        "ours": lambda: trained_by_sft(random_model(shape, tokenizer), tokenizer, rows, template, shape),
    }
    seconds: dict[str, float] = {}
    for name in list(runs) * rounds:
        seconds[name] = min(runs[name](), seconds.get(name, float("inf")))
    click.echo(f"{shape}: {len(rows)} rows, {tokens} prompt tokens, {torch.get_num_threads()} thread(s)")
    for line in _table(seconds, tokens):
        click.echo(line)


def _table(seconds: dict[str, float], tokens: int) -> Iterator[str]:
    yield "| trainer | seconds | tokens/s | times plain |"
    yield "| :-- | --: | --: | --: |"
    for name, taken in seconds.items():
        yield f"| {name} | {taken:.1f} | {tokens / taken:,.0f} | {seconds['plain'] / taken:.1f} |"


def random_model(shape: str, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    if shape == "nano":
        return new_model(tokenizer, load(BaseModelParams, "base_model").lm.nano, seed=1)
    torch.manual_seed(1)
    config = Qwen3Config(**shapes.SHAPES[shape], attn_implementation="sdpa")
    return with_lora(Qwen3ForCausalLM(config), LORA, seed=1)


def _like_ours(shape: str) -> dict[str, Any]:
    return {
        "per_device_train_batch_size": SETTINGS[shape][1],
        CHECKPOINTING: False,
        "train_sampling_strategy": "group_by_length",
    }


def _plain(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    rows: pl.DataFrame,
    template: Template,
    settings: dict[str, Any],
) -> float:
    """Seconds of a plain SFTTrainer: not changed is what does not read rows again, write files or use a network."""
    told = [
        {"prompt": template.render(row), "completion": template.yes if row["label"] else template.no}
        for row in rows.to_dicts()
    ]
    with tempfile.TemporaryDirectory() as folder:
        fixed = {"num_train_epochs": 1, "report_to": "none", "save_strategy": "no", "use_cpu": _on_cpu()}
        fixed["bf16"] = fastest_precision() == "bf16"
        config = SFTConfig(output_dir=folder, **fixed, **settings)
        trainer = SFTTrainer(
            model=model, args=config, train_dataset=Dataset.from_list(told), processing_class=tokenizer
        )
        began = _clock()
        trainer.train()
        return _clock() - began


def trained_by_sft(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, rows: pl.DataFrame, template: Template, shape: str
) -> float:
    taken: list[float] = []

    class Timed(AnswerTrainer):
        def train(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            began = _clock()
            result = super().train(*args, **kwargs)
            taken.append(_clock() - began)
            return result

    encoded = encode(rows, template, tokenizer, 512)
    examples = with_labels(encoded.ids, rows["label"].to_list(), answer_ids(template, tokenizer))
    with tempfile.TemporaryDirectory() as folder:
        Training(examples, _schedule(shape), Path(folder) / "run", Timed).fit(model, tokenizer)
    return taken[0]


def _schedule(shape: str) -> Schedule:
    batch_size = SETTINGS[shape][1]
    return Schedule(
        batch_size=batch_size,
        micro_batch_size=batch_size,
        packing="none",
        learning_rate=0.0001,
        embedding_learning_rate=0.0001,
        epochs=1,
        warmup_share=0.1,
        weight_decay=0.01,
        precision=fastest_precision(),
        gradient_checkpointing=False,
        seed=1,
    )


def _clock() -> float:
    """Seconds: on a CPU those that this process had of it, so that busy neighbours count for less."""
    return time.process_time() if _on_cpu() else time.perf_counter()


def _on_cpu() -> bool:
    return not torch.cuda.is_available()


if __name__ == "__main__":
    main()
