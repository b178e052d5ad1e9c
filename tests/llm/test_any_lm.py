"""Any causal LM in Hugging Face's format: its BOS token stays, and a tokenizer that can't pad is made to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM

from babelshelf.core.errors import InputError
from babelshelf.dpo.preference import load_tuned
from babelshelf.llm import base_model
from babelshelf.llm.base_model import load_tokenizer
from babelshelf.llm.prompts import answer_ids, encode
from babelshelf.sft.fine_tuning import fine_tune
from babelshelf.sft.params import SftParams
from babelshelf.trainer.models import save
from babelshelf.trainer.trainers import AnswerTrainer
from tests.helpers import causal_lms, tiny_lm
from tests.sft.test_fine_tuning import lora, train_params

ROWS = tiny_lm.rows()
MAX_LENGTH = 64
SCORING = tiny_lm.score_params(batch_tokens=512)


@pytest.fixture(params=causal_lms.ARCHITECTURES)
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A pointer to a folder in Hugging Face's format, as the stage leaves it."""
    folder = causal_lms.save_base(request.param, tmp_path / "elsewhere")
    base_model.write(tmp_path / "lm", base_model.to_folder(str(folder)))
    return tmp_path / "lm"


def one_by_one(model: torch.nn.Module, prompts: list[list[int]], answers: tuple[int, int]) -> np.ndarray:
    """p(yes) of each prompt alone, so that nothing is padded."""
    with torch.inference_mode():
        logits = torch.stack([model(torch.tensor([ids])).logits[0, -1, list(answers)] for ids in prompts])
    return torch.softmax(logits.double(), dim=-1)[:, 1].numpy()


def tuned(base: Path, folder: Path, **changes: object) -> Path:
    """What `train` leaves of four rows in two batches, made by `fine_tune`."""
    settings = SftParams.model_validate(train_params("lora", lora()).model_dump() | {"epochs": 1.0} | changes)
    made = fine_tune(ROWS.head(16), base, tiny_lm.TEMPLATE, settings=settings, seed=1, checkpoints=folder / "run")
    prompt = {"template": tiny_lm.SHORT, "max_length": MAX_LENGTH, "base": base_model.identity(base)}
    save(made.model, folder / "model", prompt)
    return folder / "model"


def test_prompts_begin_with_one_bos_and_answers_follow_as_single_tokens(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    long = ROWS.head(1).with_columns(candidate=pl.lit("漢" * 300))
    for rows in (ROWS, long):  # one that is shortened, too
        for ids in encode(rows, tiny_lm.TEMPLATE, tokenizer, MAX_LENGTH).ids:
            assert (ids[0], ids.count(tokenizer.bos_token_id)) == (tokenizer.bos_token_id, 1)
            assert len(ids) < MAX_LENGTH
    no, yes = answer_ids(tiny_lm.TEMPLATE, tokenizer)
    assert (tokenizer.decode([no]), tokenizer.decode([yes])) == (" no", " yes")


def test_a_tokenizer_without_a_token_to_pad_pads_with_its_end(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    assert tokenizer.pad_token_id == tokenizer.eos_token_id is not None


def test_a_tokenizer_that_has_no_special_token_at_all_is_refused(tmp_path: Path) -> None:
    folder = causal_lms.save_base("llama", tmp_path / "base")
    tokenizer = causal_lms.tokenizer()
    tokenizer.eos_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(InputError, match=r"base: its tokenizer has no token to pad with"):
        load_tokenizer(folder)


def test_training_reads_bos_and_scores_are_those_of_each_row_alone(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_tokens = set()
    of_trainer = AnswerTrainer.compute_loss

    def watching(trainer: AnswerTrainer, model: torch.nn.Module, inputs: dict[str, torch.Tensor], **others: object):  # noqa: ANN202
        starts = inputs["attention_mask"].argmax(dim=1, keepdim=True)
        first_tokens.update(inputs["input_ids"].gather(1, starts).flatten().tolist())
        return of_trainer(trainer, model, inputs, **others)

    monkeypatch.setattr(AnswerTrainer, "compute_loss", watching)
    model = tuned(base, tmp_path)
    tokenizer = load_tokenizer(base)
    assert first_tokens == {tokenizer.bos_token_id}

    prompts = encode(ROWS, tiny_lm.TEMPLATE, tokenizer, MAX_LENGTH).ids
    expected = one_by_one(
        load_tuned(base, model, "eager", "fp32").eval(), prompts, answer_ids(tiny_lm.TEMPLATE, tokenizer)
    )
    assert len(set(map(len, prompts))) > 5
    np.testing.assert_allclose(tiny_lm.scored(base, model, SCORING, ROWS), expected, rtol=0, atol=1e-5)
    untrained = AutoModelForCausalLM.from_pretrained(base_model.weights(base), attn_implementation="eager").eval()
    assert np.abs(one_by_one(untrained, prompts, answer_ids(tiny_lm.TEMPLATE, tokenizer)) - expected).max() > 0.01


def test_gradient_checkpointing_gives_the_same_model(base: Path, tmp_path: Path) -> None:
    plain = tuned(base, tmp_path / "plain")
    checkpointed = tuned(base, tmp_path / "checkpointed", gradient_checkpointing=True)
    scores = [tiny_lm.scored(base, model, SCORING, ROWS) for model in (plain, checkpointed)]
    np.testing.assert_allclose(scores[1], scores[0], rtol=0, atol=1e-4)


def test_an_adapter_of_another_base_is_refused_before_anything_is_scored(base: Path, tmp_path: Path) -> None:
    model = tuned(base, tmp_path)
    other = tiny_lm.save_base(tmp_path / "other")
    with pytest.raises(InputError, match=r"model: was trained on another base model than .*other: on [0-9a-f]{32}"):
        tiny_lm.scored(other, model, SCORING, ROWS)
