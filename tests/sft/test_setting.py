"""What training really has: the adapter, the optimizer and the schedule of the paper's profile, and the rows' order."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from babelshelf.core.params import section
from babelshelf.sft.fine_tuning import fine_tune
from babelshelf.sft.params import SftParams
from babelshelf.trainer.trainers import AnswerTrainer
from babelshelf.trainer.training import TrainedModel
from tests.helpers import tiny_lm
from tests.helpers.profiles import variants

# arXiv 2510.21671; what it does not state (warm-up, weight decay, Adam's beta2, alpha) is the project's choice.
PAPER = {"qc": (128, 7.5e-5, 1), "qi": (64, 5e-5, 2)}  # batch size, learning rate, epochs
RANK, ALPHA, DROPOUT = 32, 64, 0.1
WARMUP_SHARE, WEIGHT_DECAY, BETAS = 0.1, 0.01, (0.9, 0.95)
ON_A_CPU = {"accelerate": "one", "precision": "fp32", "weights": "fp32", "packing": "none", "attention": "eager"}


class Recorder(AnswerTrainer):  # type: ignore[misc]
    """A trainer that notes each batch and computes nothing; `last` is the one that was made last."""

    last: Recorder

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        Recorder.last = self
        self.batches: list[torch.Tensor] = []
        self.rates: list[float] = []

    def training_step(self, model: torch.nn.Module, inputs: dict[str, torch.Tensor], *_: object) -> torch.Tensor:
        self.batches.append(inputs["input_ids"])
        if self.accelerator.sync_gradients:
            self.rates.append(self.optimizer.param_groups[0]["lr"])
        return torch.zeros(())


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_lm.save_base(tmp_path_factory.mktemp("base"))


def trained(base: Path, folder: Path, settings: SftParams, rows: pl.DataFrame, seed: int = 1) -> TrainedModel:
    return fine_tune(
        rows, base, tiny_lm.TEMPLATE, settings=settings, seed=seed, checkpoints=folder, trainer_class=Recorder
    )


def paper(task: str, **changes: object) -> SftParams:
    """The params of the paper's profile, but for what needs a GPU."""
    values = variants()["paper.yaml"]
    values["sft"] |= ON_A_CPU | changes
    return section(SftParams, values, "sft", task)


@pytest.mark.parametrize("task", PAPER)
def test_adapter_optimizer_and_schedule_are_those_of_the_paper(base: Path, tmp_path: Path, task: str) -> None:
    batch_size, peak, epochs = PAPER[task]
    rows = pl.concat([tiny_lm.rows()] * 43)
    tuned = trained(base, tmp_path, paper(task), rows)
    trainer = Recorder.last

    config = tuned.model.peft_config["default"]
    assert (config.r, config.lora_alpha, config.lora_dropout) == (RANK, ALPHA, DROPOUT)
    adapted = {name: part for name, part in tuned.model.named_modules() if hasattr(part, "lora_A")}
    kinds = {name.rpartition(".")[2] for name in adapted}
    assert kinds == {*("q_proj", "k_proj", "v_proj", "o_proj"), *("gate_proj", "up_proj", "down_proj")}
    for part in adapted.values():
        assert part.lora_A["default"].weight.shape[0] == RANK
        assert part.scaling["default"] == ALPHA / RANK
        assert part.lora_dropout["default"].p == DROPOUT

    optimizer = trainer.optimizer.optimizer
    assert isinstance(optimizer, torch.optim.AdamW)
    groups = [group for group in optimizer.param_groups if group["params"]]
    assert {group["betas"] for group in groups} == {BETAS}
    assert {group["weight_decay"] for group in groups} == {WEIGHT_DECAY}  # an adapter has no biases and no norms
    learned = {id(weight) for weight in tuned.model.parameters() if weight.requires_grad}
    assert {id(weight) for group in groups for weight in group["params"]} == learned

    steps = math.ceil(rows.height / batch_size) * epochs
    assert len(trainer.rates) == steps == tuned.counts["steps"]
    warmup = round(steps * WARMUP_SHARE)
    assert warmup > 0
    expected = [
        peak * step / warmup
        if step < warmup
        else peak / 2 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))
        for step in range(steps)
    ]
    assert trainer.rates == pytest.approx(expected, rel=1e-6)
    parts = [len(batch) for batch in trainer.batches[: batch_size // 16]]
    assert parts == [16] * (batch_size // 16)


def small(**changes: object) -> SftParams:
    values = variants()["nano.yaml"]
    values["sft"] |= {"micro_batch_size": 5, "precision": "fp32"} | changes
    values["tasks"]["qi"]["sft"] |= {"batch_size": 5, "epochs": 1}
    return section(SftParams, values, "sft", "qi")


def test_batches_follow_the_seed_and_hold_prompts_of_like_length(base: Path, tmp_path: Path) -> None:
    rows = pl.concat([tiny_lm.rows()] * 8)  # enough that the sampler has something to sort
    found = []
    for number, seed in enumerate([1, 1, 2]):
        trained(base, tmp_path / str(number), small(), rows, seed)
        found.append(Recorder.last.batches)
        assert Recorder.last.args.seed == seed  # of dropout too
    first, again, other = ([batch.tolist() for batch in batches] for batches in found)
    assert first == again
    assert first != other

    pad = Recorder.last.processing_class.pad_token_id
    lengths = torch.cat([(batch != pad).sum(dim=1) for batch in found[0]])
    assert len(lengths) == rows.height
    padding = sum(int((batch == pad).sum()) for batch in found[0])
    least = padded(lengths.sort().values)
    generator = torch.Generator().manual_seed(1)
    at_random = sum(padded(lengths[torch.randperm(rows.height, generator=generator)]) for _ in range(100)) / 100
    assert padding < (least + at_random) / 2


def padded(lengths: torch.Tensor) -> int:
    """Tokens of padding in batches of five."""
    batches = lengths.view(-1, 5)
    return int((batches.max(dim=1, keepdim=True).values - batches).sum())
