"""DPO: the loss is TRL's and begins at ln 2, what is chosen gains, the reference stays, the policy alone is saved."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedModel
from trl import DPOConfig, DPOTrainer

from babelshelf.core.errors import InputError
from babelshelf.dpo.params import DpoParams
from babelshelf.dpo.preference import (
    PairCollator,
    PreferencePairs,
    PreferenceTrainer,
    fit_preferences,
    load_tuned,
    log_probs,
    optimize,
)
from babelshelf.llm.prompts import answer_ids, encode
from babelshelf.score.backends.transformers import Params
from babelshelf.score.backends.transformers.scorer import TransformersScorer
from babelshelf.sft.fine_tuning import with_lora
from babelshelf.sft.params import LoraParams
from babelshelf.trainer.batches import LeftPadding, answers_of, with_labels
from babelshelf.trainer.models import load_model, save
from babelshelf.trainer.schedule import Schedule
from tests.helpers import tiny_lm

ROWS = tiny_lm.rows()
TOKENIZER = tiny_lm.tokenizer()
NO, YES = answer_ids(tiny_lm.TEMPLATE, TOKENIZER)
MAX_LENGTH = 64
BETA = 0.3
SCORING = tiny_lm.score_params(batch_tokens=8192)
ADAPTERS = pytest.mark.parametrize(
    ("adapter", "modules_to_save"),
    [("none", []), ("lora", []), ("lora", ["embed_tokens"])],
    ids=["all weights", "lora", "lora and embeddings"],
)


def pairs(rows: pl.DataFrame = ROWS) -> PreferencePairs:
    labels = rows["label"].to_list()
    encoded = encode(rows, tiny_lm.TEMPLATE, TOKENIZER, MAX_LENGTH)
    return PreferencePairs(with_labels(encoded.ids, labels, (NO, YES)), [NO if label else YES for label in labels])


def flipped(rows: pl.DataFrame = ROWS) -> pl.DataFrame:
    return rows.with_columns(label=(1 - pl.col("label")).cast(pl.Int8))


def batch_of(some: PreferencePairs) -> dict[str, torch.Tensor]:
    return PairCollator(LeftPadding(TOKENIZER.pad_token_id))(list(some.chosen.to_dataset(rejected=some.rejected)))


def schedule(**changes: float) -> Schedule:
    """Fifteen steps: two checkpoints and a last one, and a second epoch."""
    values = {
        "batch_size": 4,
        "micro_batch_size": 4,
        "learning_rate": 0.003,
        "embedding_learning_rate": 0.003,
        "epochs": 1.8,
        "warmup_share": 0.1,
        "weight_decay": 0.01,
    }
    return Schedule(**values | changes, packing="none", precision="fp32", gradient_checkpointing=False, seed=1)


def dpo_params() -> DpoParams:
    return DpoParams.model_validate(
        {
            "beta": BETA,
            "accelerate": "one",
            "micro_batch_size": 4,
            "precision": "fp32",
            "weights": "fp32",
            "packing": "none",
            "attention": "eager",
            "kernels": "none",
            "gradient_checkpointing": False,
            "warmup_share": 0.1,
            "weight_decay": 0.01,
            "batch_size": 4,
            "learning_rate": 0.003,
            "embedding_learning_rate": 0.003,
            "epochs": 2.0,
        }
    )


def saved(folder: Path, adapter: str, modules_to_save: list[str] | None = None) -> tuple[Path, Path]:
    """Folders of a base model, and of a model that stands for what `train` leaves: its adapter is not zero."""
    base = tiny_lm.save_base(folder / "base")
    model = load_model(base, "eager", "fp32")
    if adapter == "lora":
        lora = LoraParams(
            r=8, alpha=16, dropout=0.1, target_modules="all-linear", modules_to_save=modules_to_save or []
        )
        model = with_lora(model, lora, seed=1)
    torch.manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.05)
    save(model, folder / "sft", {"template": tiny_lm.SHORT, "max_length": MAX_LENGTH})
    return base, folder / "sft"


def trainer_of(
    policy: PreTrainedModel, reference: PreTrainedModel | None, folder: Path, some: PreferencePairs
) -> PreferenceTrainer:
    arguments = schedule().arguments(len(some.rejected), "group_by_length", folder)
    return PreferenceTrainer(
        model=policy,
        ref_model=reference,
        args=DPOConfig(**arguments, beta=BETA),
        data_collator=PairCollator(LeftPadding(TOKENIZER.pad_token_id)),
        train_dataset=some.chosen.to_dataset(rejected=some.rejected),
        processing_class=TOKENIZER,
        embedding_learning_rate=schedule().embedding_learning_rate,
    )


def models(folder: Path, adapter: str, modules_to_save: list[str]) -> tuple[PreTrainedModel, PreTrainedModel | None]:
    """Policy and reference as `optimize` loads them."""
    base, sft = saved(folder, adapter, modules_to_save)
    return load_tuned(base, sft, "eager", "fp32"), None if adapter == "lora" else load_tuned(base, sft, "eager", "fp32")


def step_away(policy: PreTrainedModel) -> None:
    """Change what is trained, as a training step would."""
    torch.manual_seed(3)
    with torch.no_grad():
        for weight in policy.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.05)


def margins(policy: PreTrainedModel, some: PreferencePairs) -> torch.Tensor:
    """Log-odds of the chosen answers, each row."""
    with torch.no_grad():
        chosen, rejected = log_probs(policy.eval(), batch_of(some))
    return chosen - rejected


def trained(
    folder: Path, rows: pl.DataFrame = ROWS, trainer_class: type[PreferenceTrainer] = PreferenceTrainer
) -> PreTrainedModel:
    policy = tiny_lm.model()
    fit_preferences(
        policy,
        tiny_lm.model(),
        TOKENIZER,
        pairs(rows),
        schedule(),
        beta=BETA,
        checkpoints=folder,
        trainer_class=trainer_class,
    )
    return policy


def weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return {name: weight.detach().cpu().clone() for name, weight in model.named_parameters()}


def assert_equal_weights(model: PreTrainedModel, other: PreTrainedModel) -> None:
    found, expected = weights(model), weights(other)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


# --- the loss ---


def test_a_batch_holds_the_right_answer_as_chosen_and_the_other_as_rejected() -> None:
    batch = batch_of(pairs())
    relevant = ROWS["label"].to_numpy() == 1
    np.testing.assert_array_equal(answers_of(batch), np.where(relevant, YES, NO))
    np.testing.assert_array_equal(batch["rejected"], np.where(relevant, NO, YES))
    assert (batch["attention_mask"][:, -1] == 1).all()
    assert batch.keys() == {"input_ids", "attention_mask", "labels", "rejected"}


@ADAPTERS
def test_loss_and_rewards_are_those_of_trl_unmodified(tmp_path: Path, adapter: str, modules_to_save: list[str]) -> None:
    some = pairs(ROWS.head(7))
    ours = trainer_of(*models(tmp_path, adapter, modules_to_save), tmp_path / "run", some)
    step_away(ours.model)
    ours_loss = ours.compute_loss(ours.model, batch_of(some))

    told = Dataset.from_dict(
        {
            "prompt_ids": some.chosen.prompts,
            "chosen_ids": [[label[-1]] for label in some.chosen.labels],
            "rejected_ids": [[answer] for answer in some.rejected],
        }
    )
    arguments = schedule().arguments(7, "random", tmp_path / "trl")
    policy, reference = models(tmp_path / "again", adapter, modules_to_save)
    theirs = _PlainTrainer(
        model=policy,
        ref_model=reference,
        args=DPOConfig(**arguments, beta=BETA),
        train_dataset=told,
        processing_class=TOKENIZER,
    )
    step_away(theirs.model)
    theirs_loss = theirs.compute_loss(theirs.model, theirs.data_collator(list(told)))

    assert ours_loss.item() == pytest.approx(theirs_loss.item(), abs=1e-5)
    assert abs(ours_loss.item() - math.log(2)) > 1e-3
    mode = "train" if adapter == "lora" else "eval"  # as the models are loaded; nothing here depends on it
    for name in ("chosen", "rejected", "margins", "accuracies"):
        key = f"rewards/{name}"
        assert ours._metrics[mode][key] == pytest.approx(theirs._metrics[mode][key], abs=1e-5)

    ours_loss.backward()
    theirs_loss.backward()
    found = {name: weight.grad for name, weight in ours.model.named_parameters() if weight.requires_grad}
    for name, weight in theirs.model.named_parameters():
        if weight.requires_grad:
            torch.testing.assert_close(found.pop(name), weight.grad, rtol=1e-4, atol=1e-6)
    assert found == {}


class _PlainTrainer(DPOTrainer):
    """TRL's trainer on rows that are token ids already."""

    def _prepare_dataset(self, dataset: Dataset, *_: object) -> Dataset:
        return dataset


def test_loss_is_equation_7_by_hand_on_prompts_without_padding(tmp_path: Path) -> None:
    some = pairs(ROWS.head(5))
    policy, reference = tiny_lm.model(seed=1), tiny_lm.model(seed=2)
    trainer = trainer_of(policy, copy.deepcopy(reference), tmp_path, some)
    losses = []
    for prompt, label, rejected in zip(some.chosen.prompts, some.chosen.labels, some.rejected, strict=True):
        by_policy, by_reference = (
            torch.log_softmax(model(torch.tensor([prompt])).logits[0, -1], dim=-1) for model in (policy, reference)
        )
        ratio = by_policy - by_reference
        losses.append(-torch.log(torch.sigmoid(BETA * ratio[label[-1]] - BETA * ratio[rejected])))
    loss = trainer.compute_loss(policy, batch_of(some))
    assert loss.item() == pytest.approx(torch.stack(losses).mean().item(), abs=1e-5)


@ADAPTERS
def test_loss_begins_at_ln_2_where_policy_and_reference_are_one(
    tmp_path: Path, adapter: str, modules_to_save: list[str]
) -> None:
    policy, reference = models(tmp_path, adapter, modules_to_save)
    trainer = trainer_of(policy, reference, tmp_path / "run", pairs())
    trainer.model.train()
    assert trainer.compute_loss(trainer.model, batch_of(pairs())).item() == pytest.approx(math.log(2), abs=1e-6)


# --- training ---


@pytest.mark.parametrize(("rows", "sign"), [(ROWS, 1), (flipped(), -1)], ids=["labels", "labels flipped"])
def test_training_raises_the_log_odds_of_what_the_labels_say(tmp_path: Path, rows: pl.DataFrame, sign: int) -> None:
    before = margins(tiny_lm.model(), pairs())
    after = margins(trained(tmp_path / "run", rows), pairs())
    assert (sign * (after - before)).mean() > 0.5


@ADAPTERS
def test_the_reference_does_not_move(tmp_path: Path, adapter: str, modules_to_save: list[str]) -> None:
    some, seen = pairs(), []

    class Remembering(PreferenceTrainer):
        def compute_loss(self, model: PreTrainedModel, *args: object, **kwargs: object) -> torch.Tensor:
            seen.append(torch.stack(self.compute_ref_log_probs(model, batch_of(some))))
            return super().compute_loss(model, *args, **kwargs)

    policy, reference = models(tmp_path, adapter, modules_to_save)
    before = margins(policy, some)
    fit_preferences(
        policy,
        reference,
        TOKENIZER,
        some,
        schedule(),
        beta=BETA,
        checkpoints=tmp_path / "run",
        trainer_class=Remembering,
    )
    assert len(seen) == 15
    assert all(torch.equal(one, seen[0]) for one in seen)
    torch.testing.assert_close(seen[0][0] - seen[0][1], before)  # it is the model that the policy started from
    assert (margins(policy, some) - before).abs().max() > 0.1


class KilledError(Exception):
    """Stands for a kill."""


def trainer_that_counts(fatal: int | None = None) -> tuple[type[PreferenceTrainer], list[int]]:
    """A trainer that breaks off in its `fatal`-th step, and the list of the steps that it began."""
    began: list[int] = []

    class CountingTrainer(PreferenceTrainer):
        def compute_loss(self, *args: object, **kwargs: object) -> torch.Tensor:
            began.append(self.state.global_step + 1)
            if len(began) == fatal:
                raise KilledError
            return super().compute_loss(*args, **kwargs)

    return CountingTrainer, began


@ADAPTERS
def test_a_killed_run_goes_on_from_its_last_checkpoint_to_the_same_weights(
    tmp_path: Path, adapter: str, modules_to_save: list[str]
) -> None:
    base, sft = saved(tmp_path, adapter, modules_to_save)

    def fitted(folder: Path, trainer_class: type[PreferenceTrainer]) -> PreTrainedModel:
        policy = load_tuned(base, sft, "eager", "fp32")
        reference = None if adapter == "lora" else load_tuned(base, sft, "eager", "fp32")
        arguments = {"beta": BETA, "checkpoints": folder, "trainer_class": trainer_class}
        fit_preferences(policy, reference, TOKENIZER, pairs(), schedule(), **arguments)
        return policy

    counting, all_steps = trainer_that_counts()
    undisturbed = fitted(tmp_path / "undisturbed", counting)
    assert all_steps == list(range(1, 16))
    with pytest.raises(KilledError):
        fitted(tmp_path / "run", trainer_that_counts(fatal=12)[0])
    counting, steps = trainer_that_counts()
    assert_equal_weights(fitted(tmp_path / "run", counting), undisturbed)
    assert steps == list(range(10, 16))


# --- what is saved ---


@ADAPTERS
def test_what_is_saved_is_the_policy_alone_and_scores_as_in_memory(
    tmp_path: Path, adapter: str, modules_to_save: list[str]
) -> None:
    base, sft = saved(tmp_path, adapter, modules_to_save)
    tuned = optimize(ROWS, base, sft, settings=dpo_params(), seed=1, checkpoints=tmp_path / "run")
    save(tuned.model, tmp_path / "dpo", {"template": tiny_lm.SHORT, "max_length": MAX_LENGTH})
    assert sorted(_files(tmp_path / "dpo")) == sorted(_files(sft))
    assert sum(file.stat().st_size for file in (tmp_path / "dpo").glob("*.safetensors")) == pytest.approx(
        sum(file.stat().st_size for file in sft.glob("*.safetensors")), abs=200
    )
    if isinstance(tuned.model, PeftModel):
        assert list(tuned.model.peft_config) == ["default"]

    before, after = (tiny_lm.scored(base, folder, SCORING, ROWS) for folder in (sft, tmp_path / "dpo"))
    scorer = TransformersScorer(tuned.model, TOKENIZER, tiny_lm.TEMPLATE, MAX_LENGTH, SCORING.own(Params))
    in_memory = tiny_lm.p_yes(scorer, ROWS)
    np.testing.assert_allclose(after, in_memory, rtol=0, atol=1e-5)
    relevant = ROWS["label"].to_numpy() == 1
    assert (after - before)[relevant].mean() > 0.05
    assert (after - before)[~relevant].mean() < -0.05


def _files(folder: Path) -> Iterator[str]:
    return (str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_optimizing_counts_what_it_read_and_draws_a_curve(tmp_path: Path) -> None:
    base, sft = saved(tmp_path, "none")
    tuned = optimize(ROWS, base, sft, settings=dpo_params(), seed=1, checkpoints=tmp_path / "run")
    tokens = sum(map(len, pairs().chosen.prompts))
    assert tuned.counts == {"rows": 30, "prompt_tokens": tokens, "shortened_candidates": 0, "steps": 16}
    assert [point["step"] for point in tuned.result.curve] == list(range(1, 17))
    first, last = tuned.result.curve[0], tuned.result.curve[-1]
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert first["reward_margin"] == pytest.approx(0, abs=1e-6)
    assert last["loss"] < first["loss"]
    assert last["reward_margin"] > 0
    assert last["reward_accuracy"] > 0.7
    assert max(point["learning_rate"] for point in tuned.result.curve) == pytest.approx(0.003)


def test_frozen_weights_in_bf16_are_for_a_model_with_an_adapter(tmp_path: Path) -> None:
    base, sft = saved(tmp_path, "none")
    with pytest.raises(InputError, match=r"bf16 is for frozen weights, and .* has no adapter"):
        load_tuned(base, sft, "eager", "bf16")
    base, sft = saved(tmp_path / "lora", "lora")
    model = load_tuned(base, sft, "eager", "bf16")
    assert {(weight.requires_grad, weight.dtype) for weight in model.parameters()} == {
        (True, torch.float32),
        (False, torch.bfloat16),
    }


def test_parts_and_prompts_without_padding_give_the_weights_of_whole_padded_batches(tmp_path: Path) -> None:
    found, losses = [], []
    for packing, micro_batch_size in [("none", 4), ("none", 2), ("padding_free", 2)]:
        policy = tiny_lm.model()
        how = dataclasses.replace(schedule(), packing=packing, micro_batch_size=micro_batch_size)
        folder = tmp_path / f"{packing}-{micro_batch_size}"
        made = fit_preferences(policy, tiny_lm.model(), TOKENIZER, pairs(), how, beta=BETA, checkpoints=folder)
        found.append(weights(policy))
        losses.append([point["loss"] for point in made.curve])  # Adam would hide a gradient of another scale
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    assert losses[2] == pytest.approx(losses[0], abs=1e-4)
    for other in found[1:]:
        for name, weight in found[0].items():
            torch.testing.assert_close(other[name], weight, rtol=0, atol=1e-3)
