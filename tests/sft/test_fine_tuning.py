"""Training: the loss is at the answer alone, a killed run ends with the same weights, yes is yes."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.distributed.checkpoint.api import CheckpointException
from transformers import PreTrainedModel, Trainer
from transformers.models.qwen3 import modeling_qwen3
from trl import SFTConfig

from babelshelf.base_model.matching_questions import Questions
from babelshelf.base_model.nano_lm import QuestionTrainer, encode_questions
from babelshelf.core.errors import InputError
from babelshelf.llm.prompts import answer_ids, encode
from babelshelf.score.backends.transformers import Params
from babelshelf.score.backends.transformers.scorer import TransformersScorer
from babelshelf.sft.fine_tuning import fine_tune, with_lora
from babelshelf.sft.params import LoraParams, SftParams
from babelshelf.trainer.batches import LeftPadding, PromptExamples
from babelshelf.trainer.models import load_model, save, without_input_casts
from babelshelf.trainer.schedule import CHECKPOINTING, Schedule
from babelshelf.trainer.trainers import AnswerTrainer, ScheduledTrainer
from babelshelf.trainer.training import Training, last_checkpoint
from tests.helpers import tiny_lm

ROWS = tiny_lm.rows()
TOKENIZER = tiny_lm.tokenizer()
NO, YES = answer_ids(tiny_lm.TEMPLATE, TOKENIZER)
MAX_LENGTH = 64
SCORING = tiny_lm.score_params(batch_tokens=8192)


def lora(dropout: float = 0.0, modules_to_save: list[str] | None = None) -> LoraParams:
    return LoraParams(
        r=8, alpha=16, dropout=dropout, target_modules="all-linear", modules_to_save=modules_to_save or []
    )


def train_params(adapter: str, lora_params: LoraParams) -> SftParams:
    return SftParams.model_validate(
        {
            "adapter": adapter,
            "lora": lora_params,
            "template": "short",
            "max_length": MAX_LENGTH,
            "accelerate": "one",
            "micro_batch_size": 8,
            "precision": "fp32",
            "weights": "fp32",
            "packing": "none",
            "attention": "eager",
            "kernels": "none",
            "gradient_checkpointing": False,
            "warmup_share": 0.1,
            "weight_decay": 0.01,
            "batch_size": 8,
            "learning_rate": 0.01,
            "embedding_learning_rate": 0.01,
            "epochs": 5.0,
            "steps": "none",
        }
    )


def examples(count: int = 30) -> PromptExamples:
    prompts = encode(ROWS.head(count), tiny_lm.TEMPLATE, TOKENIZER, MAX_LENGTH).ids
    answers = [YES if label else NO for label in ROWS["label"].head(count)]
    return PromptExamples(
        prompts, [[-100] * (len(ids) - 1) + [answer] for ids, answer in zip(prompts, answers, strict=True)]
    )


def batch_of(some: PromptExamples, count: int) -> dict[str, torch.Tensor]:
    rows = [{"input_ids": some.prompts[n], "labels": some.labels[n]} for n in range(count)]
    return LeftPadding(TOKENIZER.pad_token_id)(rows)


def plain_loss(model: PreTrainedModel, some: PromptExamples, count: int) -> torch.Tensor:
    """Mean over rows of -log softmax of the answer, each row alone, from the logits of all positions."""
    losses = [
        -torch.log_softmax(model(torch.tensor([some.prompts[n]])).logits[0, -1], dim=-1)[some.labels[n][-1]]
        for n in range(count)
    ]
    return torch.stack(losses).mean()


def sgd_trainer(
    model: PreTrainedModel,
    some: PromptExamples,
    folder: Path,
    *,
    size: int,
    accumulation: int,
    embedding_learning_rate: float = 1.0,
    gpus: int = 0,
) -> AnswerTrainer:
    """One step of plain gradient descent at rate 1, so that the weights' change is the gradient."""
    config = SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=size,
        gradient_accumulation_steps=accumulation,
        max_steps=1,
        optim="sgd",
        learning_rate=1.0,
        lr_scheduler_type="constant",
        max_grad_norm=0,
        logging_steps=1,
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        report_to="none",
        max_length=None,
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        **{CHECKPOINTING: False},
    )
    config._n_gpu = gpus
    return AnswerTrainer(
        model=model,
        args=config,
        data_collator=LeftPadding(TOKENIZER.pad_token_id),
        train_dataset=some.to_dataset(),
        processing_class=TOKENIZER,
        embedding_learning_rate=embedding_learning_rate,
    )


def weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return {name: weight.detach().cpu().clone() for name, weight in model.named_parameters()}


def test_left_padding_ends_every_prompt_in_the_last_column() -> None:
    rows = [{"input_ids": [5, 6, 7], "labels": [-100, -100, 1]}, {"input_ids": [8], "labels": [2]}]
    batch = LeftPadding(9)(rows)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [9, 9, 8]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]
    assert batch["labels"].tolist() == [[-100, -100, 1], [-100, -100, 2]]


def test_loss_is_the_plain_cross_entropy_of_the_answer_padded_rows_included(tmp_path: Path) -> None:
    model, some = tiny_lm.model().eval(), examples()
    assert len({len(prompt) for prompt in some.prompts[:7]}) > 3
    trainer = sgd_trainer(model, some, tmp_path, size=7, accumulation=1)
    loss, outputs = trainer.compute_loss(model, batch_of(some, 7), return_outputs=True)
    assert loss.item() == pytest.approx(plain_loss(model, some, 7).item(), rel=1e-5)
    assert outputs["logits"].shape == (7, len(TOKENIZER))  # the head ran at the answer's position alone


@pytest.mark.parametrize(("size", "accumulation"), [(5, 1), (2, 3)], ids=["whole", "cut into 2, 2 and 1"])
def test_gradient_is_that_of_the_whole_batch_however_it_is_cut(tmp_path: Path, size: int, accumulation: int) -> None:
    some = PromptExamples(examples().prompts[:5], examples().labels[:5])
    reference = tiny_lm.model()
    loss = plain_loss(reference, some, 5)
    loss.backward()
    model = tiny_lm.model()
    trainer = sgd_trainer(model, some, tmp_path, size=size, accumulation=accumulation)
    trainer.train()
    assert trainer.state.log_history[0]["loss"] == pytest.approx(loss.item(), rel=1e-4)
    before, after = weights(reference), weights(model)
    for name, weight in reference.named_parameters():
        assert weight.grad is not None
        torch.testing.assert_close(after[name], before[name] - weight.grad, rtol=1e-4, atol=1e-5)


def test_a_process_that_sees_several_gpus_takes_one_and_no_larger_batch(tmp_path: Path) -> None:
    trainer = sgd_trainer(tiny_lm.model(), examples(8), tmp_path, size=2, accumulation=1, gpus=4)
    assert (trainer.args.n_gpu, trainer.args.train_batch_size) == (1, 2)


@pytest.mark.parametrize("adapter", [False, True])
def test_the_token_embeddings_have_a_learning_rate_of_their_own(tmp_path: Path, adapter: bool) -> None:
    moved = []
    for rate in (1.0, 3.0):
        model: PreTrainedModel = tiny_lm.model().train()
        if adapter:
            model = with_lora(model, lora(dropout=0.0, modules_to_save=["embed_tokens"]), seed=1)
        before = weights(model)
        sgd_trainer(
            model, examples(8), tmp_path / str(rate), size=8, accumulation=1, embedding_learning_rate=rate
        ).train()
        moved.append({name: weight - before[name] for name, weight in weights(model).items()})
    trained = {name for name, change in moved[0].items() if change.abs().max() > 0}
    embedding = {name for name in trained if "embed_tokens" in name}
    assert embedding
    assert trained - embedding
    for name in trained:
        times = 3.0 if name in embedding else 1.0
        torch.testing.assert_close(moved[1][name], moved[0][name] * times, rtol=1e-4, atol=1e-6)


def test_loss_of_questions_is_the_mean_over_all_answers_of_a_prompt_that_reads_as_one_text(tmp_path: Path) -> None:
    asked = [
        Questions("qi", "en", "Running Shoes", ["cheap gift", "pans"], [True, False]),
        Questions("qi", "en", "42", ["x"], [True]),
    ]
    some = encode_questions(asked, TOKENIZER, {"qi": tiny_lm.TEMPLATE})
    assert [TOKENIZER.decode(ids) for ids in some.prompts] == [
        "en: running shoes < cheap gift ? yes < pans ? no",
        "en: 42 < x ? yes",
    ]
    assert [[one for one in label if one != -100] for label in some.labels] == [[YES, NO], [YES]]
    model = tiny_lm.model().eval()
    told = [
        -torch.log_softmax(model(torch.tensor([ids])).logits[0, at - 1], dim=-1)[ids[at]]
        for ids in some.prompts
        for at in range(len(ids))
        if ids[at] in (NO, YES)
    ]
    trainer = sgd_trainer(model, some, tmp_path, size=2, accumulation=1)
    loss = QuestionTrainer.compute_loss(trainer, model, batch_of(some, 2))
    assert loss.item() == pytest.approx(torch.stack(told).mean().item(), rel=1e-5)


class KilledError(Exception):
    """Stands for a kill."""


def trainer_that_counts(fatal: int | None = None) -> tuple[type[AnswerTrainer], list[int]]:
    """A trainer that breaks off in its `fatal`-th step, and the list of the steps that it began."""
    began: list[int] = []

    class CountingTrainer(AnswerTrainer):
        def compute_loss(self, *args: object, **kwargs: object) -> object:
            began.append(self.state.global_step + 1)
            if len(began) == fatal:
                raise KilledError
            return super().compute_loss(*args, **kwargs)

    return CountingTrainer, began


def fitted(
    checkpoints: Path,
    trainer_class: type[AnswerTrainer],
    *,
    adapter: bool = False,
    micro_batch_size: int = 4,
    packing: str = "none",
) -> PreTrainedModel:
    """15 steps, with a checkpoint after each third; the second epoch begins at the ninth."""
    model: PreTrainedModel = tiny_lm.model()
    if adapter:
        model = with_lora(model, lora(dropout=0.1), seed=1)
    schedule = Schedule(
        batch_size=4,
        micro_batch_size=micro_batch_size,
        packing=packing,
        learning_rate=0.003,
        embedding_learning_rate=0.006,
        epochs=1.8,
        warmup_share=0.1,
        weight_decay=0.01,
        precision="fp32",
        gradient_checkpointing=False,
        seed=1,
    )
    Training(examples(), schedule, checkpoints, trainer_class).fit(model, TOKENIZER)
    return model


def assert_equal_weights(model: PreTrainedModel, other: PreTrainedModel) -> None:
    found, expected = weights(model), weights(other)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


@pytest.mark.parametrize("adapter", [False, True], ids=["all weights", "adapter with dropout"])
def test_a_killed_run_goes_on_from_its_last_complete_checkpoint_to_the_same_weights(
    tmp_path: Path, adapter: bool
) -> None:
    counting, all_steps = trainer_that_counts()
    undisturbed = fitted(tmp_path / "undisturbed", counting, adapter=adapter)
    assert all_steps == list(range(1, 16))
    with pytest.raises(KilledError):
        fitted(tmp_path / "run", trainer_that_counts(fatal=12)[0], adapter=adapter)
    half_written = tmp_path / "run" / "checkpoint-12"
    half_written.mkdir()
    (half_written / "model.safetensors").write_bytes(b"half of")
    counting, steps = trainer_that_counts()
    assert_equal_weights(fitted(tmp_path / "run", counting, adapter=adapter), undisturbed)
    assert steps == list(range(10, 16))


def test_every_epoch_has_all_rows_in_an_order_of_its_own(tmp_path: Path) -> None:
    batches: list[list[list[int]]] = []

    class RememberingTrainer(AnswerTrainer):
        def compute_loss(
            self, model: PreTrainedModel, inputs: dict[str, torch.Tensor], *args: object, **kwargs: object
        ) -> object:
            pairs = zip(inputs["input_ids"], inputs["attention_mask"].bool(), strict=True)
            batches.append([row[mask].tolist() for row, mask in pairs])
            return super().compute_loss(model, inputs, *args, **kwargs)

    fitted(tmp_path / "run", RememberingTrainer)
    first, second = ([row for batch in part for row in batch] for part in (batches[:8], batches[8:]))
    assert sorted(first) == sorted(examples().prompts)
    assert first[: len(second)] != second


def test_a_run_killed_in_its_first_checkpoint_begins_again(tmp_path: Path) -> None:
    half_written = tmp_path / "run" / "checkpoint-3"
    half_written.mkdir(parents=True)
    (half_written / "model.safetensors").write_bytes(b"half of")
    counting, steps = trainer_that_counts()
    assert_equal_weights(fitted(tmp_path / "run", counting), fitted(tmp_path / "other", AnswerTrainer))
    assert steps == list(range(1, 16))


def test_the_last_checkpoint_is_the_one_of_most_steps(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "none") is None
    for step in (9, 10, 100, 11):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").touch()
    (tmp_path / "checkpoint-200").mkdir()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-100"


@pytest.mark.parametrize(
    ("adapter", "modules_to_save"),
    [("none", []), ("lora", []), ("lora", ["embed_tokens"])],
    ids=["all weights", "lora", "lora and embeddings"],
)
def test_a_model_learns_which_rows_are_relevant_and_scores_the_same_when_it_is_loaded(
    tmp_path: Path, adapter: str, modules_to_save: list[str]
) -> None:
    base = tiny_lm.save_base(tmp_path / "base")
    settings = train_params(adapter, lora(modules_to_save=modules_to_save))
    tuned = fine_tune(ROWS, base, tiny_lm.TEMPLATE, settings=settings, seed=1, checkpoints=tmp_path / "run")
    save(tuned.model, tmp_path / "model", {"template": tiny_lm.SHORT, "max_length": MAX_LENGTH})
    assert (tmp_path / "model" / "adapter_config.json").exists() == (adapter == "lora")

    held_out = ROWS.with_columns(query=pl.lit("of my mother"))
    loaded = tiny_lm.scored(base, tmp_path / "model", SCORING, held_out)
    scorer = TransformersScorer(tuned.model, TOKENIZER, tiny_lm.TEMPLATE, MAX_LENGTH, SCORING.own(Params))
    in_memory = tiny_lm.p_yes(scorer, held_out)
    np.testing.assert_allclose(loaded, in_memory, rtol=0, atol=1e-5)

    relevant = held_out["label"].to_numpy() == 1
    assert loaded[relevant].min() > 0.5 > loaded[~relevant].max()
    assert tuned.result.curve[-1]["loss"] < tuned.result.curve[0]["loss"] / 2


def test_fine_tuning_counts_what_it_read_and_tells_the_schedule(tmp_path: Path) -> None:
    base = tiny_lm.save_base(tmp_path / "base")
    rows = ROWS.head(9).with_columns(
        candidate=pl.when(pl.col("id") == "r0").then(pl.lit("漢" * 100)).otherwise("candidate")
    )
    settings = train_params("none", lora())
    tuned = fine_tune(rows, base, tiny_lm.TEMPLATE, settings=settings, seed=1, checkpoints=tmp_path / "run")
    prompts = encode(rows, tiny_lm.TEMPLATE, TOKENIZER, MAX_LENGTH).ids
    assert tuned.counts == {
        "rows": 9,
        "prompt_tokens": sum(len(prompt) for prompt in prompts),
        "shortened_candidates": 1,
        "steps": 10,
    }
    assert [point["step"] for point in tuned.result.curve] == list(range(1, 11))
    rates = [point["learning_rate"] for point in tuned.result.curve]
    assert max(rates) == pytest.approx(0.01)
    assert rates[1:] == sorted(rates[1:], reverse=True)


def test_an_adapter_changes_nothing_before_training_and_is_all_that_is_trained() -> None:
    plain, adapted = tiny_lm.model().eval(), with_lora(tiny_lm.model(), lora(), seed=1).eval()
    prompt = torch.tensor([examples().prompts[0]])
    torch.testing.assert_close(adapted(prompt).logits, plain(prompt).logits)
    assert all(("lora_" in name) == weight.requires_grad for name, weight in adapted.named_parameters())
    assert sum("lora_A" in name for name, _ in adapted.named_parameters()) == 2 * 7  # layers, linear maps of each


def test_an_adapter_under_autocast_computes_the_same_without_casts_of_its_inputs() -> None:
    prompt = torch.tensor([examples().prompts[0]])
    outputs, seen = [], []
    for change in (lambda model: model, without_input_casts):
        model = change(with_lora(tiny_lm.model().bfloat16(), lora(dropout=0.0), seed=1))
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(0))
        layer = next(module for name, module in model.named_modules() if name.endswith("lora_A.default"))
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].dtype))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs.append(model(prompt).logits)
    assert seen == [torch.float32, torch.bfloat16]
    assert torch.equal(*outputs)


def test_the_same_seed_makes_the_same_base_model() -> None:
    assert_equal_weights(tiny_lm.model(seed=1), tiny_lm.model(seed=1))
    first, second = weights(tiny_lm.model(seed=1)), weights(tiny_lm.model(seed=2))
    assert not torch.equal(first["model.embed_tokens.weight"], second["model.embed_tokens.weight"])


def test_half_of_the_heads_begin_with_equal_queries_and_keys_in_all_layers_but_the_first() -> None:
    first, second = (layer.self_attn for layer in tiny_lm.model().model.layers)
    equal = [(one.q_proj.weight == one.k_proj.weight).all(dim=1).tolist() for one in (first, second)]
    assert equal == [[False] * 32, [True] * 16 + [False] * 16]


# --- how long ---


@pytest.mark.parametrize("count", [8, 24])
def test_a_number_of_steps_stands_in_place_of_epochs(tmp_path: Path, count: int) -> None:
    base = tiny_lm.save_base(tmp_path / "base")
    settings = train_params("lora", lora()).model_copy(update={"steps": 2})
    tuned = fine_tune(ROWS.head(count), base, tiny_lm.TEMPLATE, settings=settings, seed=1, checkpoints=tmp_path / "run")
    assert tuned.counts["steps"] == 2
    assert tuned.result.curve[-1]["step"] == 2


@pytest.mark.parametrize("adapter", ["lora", "none"])
def test_no_steps_leave_the_base_as_it_is(tmp_path: Path, adapter: str) -> None:
    base = tiny_lm.save_base(tmp_path / "base")
    settings = train_params(adapter, lora()).model_copy(update={"steps": 0})
    tuned = fine_tune(ROWS, base, tiny_lm.TEMPLATE, settings=settings, seed=1, checkpoints=tmp_path / "run")
    assert (tuned.counts["steps"], tuned.result.curve) == (0, [])
    save(tuned.model, tmp_path / "model", {"template": tiny_lm.SHORT, "max_length": MAX_LENGTH})
    scores = tiny_lm.scored(base, tmp_path / "model", SCORING, ROWS)
    whole = tmp_path / "whole"
    save(load_model(base, "eager", "fp32"), whole, {"template": tiny_lm.SHORT, "max_length": MAX_LENGTH})
    assert scores == pytest.approx(tiny_lm.scored(base, whole, SCORING, ROWS), abs=1e-6)


# --- memory, and what can't be had ---


def test_frozen_weights_stay_in_bf16_and_the_adapter_is_trained_and_saved_in_fp32(tmp_path: Path) -> None:
    base = tiny_lm.save_base(tmp_path / "base")
    changes = {"weights": "bf16", "precision": "bf16"}
    settings = SftParams.model_validate(train_params("lora", lora()).model_dump() | changes)
    tuned = fine_tune(ROWS, base, tiny_lm.TEMPLATE, settings=settings, seed=1, checkpoints=tmp_path / "run")
    for name, weight in tuned.model.named_parameters():
        assert weight.dtype == (torch.float32 if weight.requires_grad else torch.bfloat16), name
    frozen = {name: weight for name, weight in weights(tuned.model).items() if "lora_" not in name}
    before = weights(load_model(base, "eager", "bf16"))
    assert {name.replace(".base_layer", "").removeprefix("base_model.model.") for name in frozen} == before.keys()
    for name, weight in frozen.items():
        assert torch.equal(weight, before[name.replace(".base_layer", "").removeprefix("base_model.model.")])
    save(tuned.model, tmp_path / "model", {"template": tiny_lm.SHORT, "max_length": MAX_LENGTH})
    saved = load_file(tmp_path / "model" / "adapter_model.safetensors")
    assert {weight.dtype for weight in saved.values()} == {torch.float32}
    scores = tiny_lm.scored(base, tmp_path / "model", SCORING, ROWS)
    relevant = ROWS["label"].to_numpy() == 1
    assert scores[relevant].min() > 0.5 > scores[~relevant].max()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": "bf16", "precision": "bf16", "adapter": "none"}, "it needs adapter: lora"),
        ({"weights": "bf16", "precision": "fp32"}, "needs precision: bf16"),
    ],
)
def test_bf16_weights_are_refused_where_they_would_be_trained_or_used_as_fp32(
    changes: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        SftParams.model_validate(train_params("lora", lora()).model_dump() | changes)


def test_flash_attention_is_refused_where_there_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="flash_attention_2 needs a GPU with CUDA, which is not here; set sdpa"):
        load_model(tiny_lm.save_base(tmp_path / "base"), "flash_attention_2", "fp32")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(InputError, match="flash_attention_2 needs the package flash-attn"):
        load_model(tmp_path / "base", "flash_attention_2", "fp32")


def test_liger_is_refused_without_a_gpu_without_its_package_and_for_a_model_that_it_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tiny_lm.save_base(tmp_path / "base")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="kernels: liger needs a GPU with CUDA"):
        load_model(base, "eager", "fp32", "liger")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "liger_kernel", None)
    with pytest.raises(InputError, match=r"kernels: liger needs a package: pip install -e '\.\[liger\]'"):
        load_model(base, "eager", "fp32", "liger")
    monkeypatch.setitem(sys.modules, "liger_kernel", ModuleType("liger_kernel"))
    known = SimpleNamespace(MODEL_TYPE_TO_APPLY_LIGER_FN={"llama": print})
    monkeypatch.setitem(sys.modules, "liger_kernel.transformers", SimpleNamespace(monkey_patch=known))
    with pytest.raises(InputError, match="liger has none for a base model of type 'qwen3'"):
        load_model(base, "eager", "fp32", "liger")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="Liger's kernels need a GPU with CUDA")
def test_liger_trains_as_pytorch_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("liger_kernel")
    for name in ("apply_rotary_pos_emb", "Qwen3RMSNorm", "Qwen3MLP"):  # put back after: Liger replaces them for good
        monkeypatch.setattr(modeling_qwen3, name, getattr(modeling_qwen3, name))
    base, curves = tiny_lm.save_base(tmp_path / "base"), []
    for kernels in ("none", "liger"):
        settings = train_params("lora", lora()).model_copy(update={"kernels": kernels})
        arguments = {"settings": settings, "seed": 1, "checkpoints": tmp_path / kernels}
        tuned = fine_tune(ROWS, base, tiny_lm.TEMPLATE, **arguments)
        curves.append([point["loss"] for point in tuned.result.curve])
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-3)


def test_parts_and_prompts_without_padding_give_the_weights_of_whole_padded_batches(tmp_path: Path) -> None:
    expected = weights(fitted(tmp_path / "whole", AnswerTrainer))
    for packing, micro_batch_size in [("none", 2), ("padding_free", 4), ("padding_free", 1)]:
        folder = tmp_path / f"{packing}-{micro_batch_size}"
        found = weights(fitted(folder, AnswerTrainer, packing=packing, micro_batch_size=micro_batch_size))
        for name, weight in expected.items():
            torch.testing.assert_close(found[name], weight, rtol=0, atol=1e-3)


def logged(folder: Path, packing: str, micro_batch_size: int) -> np.ndarray:
    """Loss and norm of the gradient of each step, shape (steps, 2)."""
    found: list[tuple[float, float]] = []

    class Recording(AnswerTrainer):
        def log(self, logs: dict[str, float], *args: Any) -> None:  # noqa: ANN401 - the base class's
            if "grad_norm" in logs:
                found.append((float(logs["loss"]), float(logs["grad_norm"])))
            super().log(logs, *args)

    fitted(folder, Recording, packing=packing, micro_batch_size=micro_batch_size)
    return np.array(found)


def test_a_steps_loss_and_gradient_are_the_mean_of_its_answers_with_padding_and_without(tmp_path: Path) -> None:
    """The weights do not tell: Adam's steps are the same whatever the loss is multiplied by."""
    whole = logged(tmp_path / "whole", "none", 4)
    assert whole.shape == (15, 2)
    for packing, micro_batch_size in [("padding_free", 4), ("padding_free", 2), ("padding_free", 1), ("none", 2)]:
        found = logged(tmp_path / f"{packing}-{micro_batch_size}", packing, micro_batch_size)
        np.testing.assert_allclose(found[0], whole[0], rtol=1e-4)
        np.testing.assert_allclose(found, whole, rtol=0.02)  # with the rounding of all steps before


FAILED_SHARD = CheckpointException("of two processes", {0: (OSError(errno.ENOSPC, "No space left"), None)})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            r"\[Errno 28\] No space left on device; \d+ MiB .*Make room",
        ),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "os error 28.; .*Make room"),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 640 vs 598"), "pos 640 .*Make room"),
        (FAILED_SHARD, "No space left; .*Make room"),
        (PermissionError(errno.EACCES, "Permission denied"), r"Permission denied\). Fix that and start again"),
        (OSError(), r"\(OSError\). Fix that and start again"),
    ],
    ids=str,
)
def test_a_checkpoint_that_cannot_be_written_says_why(
    error: Exception, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=f"checkpoint-3: the checkpoint can't be written .*{reason}"):
        save_with(error, tmp_path, monkeypatch)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [RuntimeError("CUDA error: out of memory"), RuntimeError()], ids=str)
def test_what_fails_beside_the_writing_of_a_checkpoint_is_told_as_it_is(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RuntimeError) as raised:
        save_with(error, tmp_path, monkeypatch)
    assert raised.value is error
    assert not list(tmp_path.iterdir())


def save_with(error: BaseException, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint at step 3 whose writing fails half-way."""

    def fail(*_: object) -> None:
        (folder / "checkpoint-3").mkdir()
        raise error

    monkeypatch.setattr(Trainer, "_save_checkpoint", fail)
    trainer = object.__new__(ScheduledTrainer)
    trainer.args, trainer.state = SimpleNamespace(output_dir=folder), SimpleNamespace(global_step=3)
    trainer._save_checkpoint()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.sft.test_fine_tuning import fitted, AnswerTrainer, trainer_that_counts

class FillingTrainer(AnswerTrainer):
    def compute_loss(self, *args, **kwargs):
        if self.state.global_step == 4:  # the first checkpoint, of step 3, is written
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        return super().compute_loss(*args, **kwargs)

try:
    fitted(Path(sys.argv[1]), FillingTrainer)
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits on files' sizes")
def test_a_checkpoint_that_does_not_fit_is_one_error_and_the_one_before_is_kept(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "run")]
    told = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True).stdout
    assert f"InputError {tmp_path / 'run' / 'checkpoint-6'}: the checkpoint can't be written (" in told
    assert "File too large" in told
    assert "the run goes on from its last complete checkpoint" in told
    assert [path.name for path in (tmp_path / "run").glob("checkpoint-*")] == ["checkpoint-3"]
    counting, steps = trainer_that_counts()
    assert_equal_weights(fitted(tmp_path / "run", counting), fitted(tmp_path / "other", AnswerTrainer))
    assert steps == list(range(4, 16))
