"""p(yes) is the softmax over the two answers' logits, whatever the batch, and a killed run goes on from its chunks."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from babelshelf.core.errors import InputError
from babelshelf.llm.prompts import answer_ids, encode
from babelshelf.score.backends.transformers import Params
from babelshelf.score.backends.transformers.scorer import TransformersScorer
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import by_tokens, load_scorer, score_pairs
from babelshelf.trainer.models import save
from tests.helpers import causal_lms, tiny_lm

ROWS = tiny_lm.rows()
MAX_LENGTH = 64
SHORT = tiny_lm.SHORT
OTHERS = {
    "gpt2": {"n_embd": 32, "n_layer": 1, "n_head": 2},
    "gpt_oss": {**causal_lms.SIZES, "num_local_experts": 2, "num_experts_per_tok": 1},
}


def settings(batch_tokens: int = 8192) -> ScoreParams:
    return tiny_lm.score_params(batch_tokens=batch_tokens)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base model, and a model with all weights of its own."""
    root = tmp_path_factory.mktemp("models")
    save(tiny_lm.model(seed=2), root / "model", {"template": tiny_lm.SHORT, "max_length": MAX_LENGTH})
    return tiny_lm.save_base(root / "base"), root / "model"


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    """Each row alone, without padding, from the logits of all positions."""
    model, tokenizer = tiny_lm.model(seed=2).eval(), tiny_lm.tokenizer()
    answers = list(answer_ids(tiny_lm.TEMPLATE, tokenizer))
    with torch.no_grad():
        logits = [
            model(torch.tensor([ids])).logits[0, -1, answers]
            for ids in encode(ROWS, tiny_lm.TEMPLATE, tokenizer, MAX_LENGTH).ids
        ]
    no, yes = np.exp(torch.stack(logits).double().numpy()).T
    p_yes: np.ndarray = yes / (yes + no)
    assert p_yes.std() > 0.01  # or any order of the rows would do
    return p_yes


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(("batch_tokens", "row_tokens"), [(512, 1), (512, 64), (100_000, 1000)])
def test_p_yes_is_the_softmax_of_the_two_answers_whatever_the_batch(
    folders: tuple[Path, Path],
    expected: np.ndarray,
    batch_tokens: int,
    row_tokens: int,
    attention: Literal["eager", "sdpa"],
) -> None:
    some = tiny_lm.score_params(batch_tokens=batch_tokens, row_tokens=row_tokens, attention=attention)
    with load_scorer(*folders, some) as scorer:
        scores = tiny_lm.p_yes(scorer, ROWS)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)


def test_pairs_sorted_by_their_tokens_come_back_in_their_order(
    folders: tuple[Path, Path], expected: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TransformersScorer, "chunk", 7)
    with load_scorer(*folders, settings()) as scorer:
        prompts = scorer.encode(ROWS)
        ordered = prompts[scorer.order(prompts)].to_list()
        assert ordered == sorted(prompts.to_list()) != prompts.to_list()
        np.testing.assert_allclose(score_pairs(ROWS, scorer, tmp_path / "done"), expected, rtol=0, atol=1e-5)


def test_an_adapter_stays_in_fp32_beside_weights_in_bf16(tmp_path: Path) -> None:
    """Merged, what is less than a 256th of a weight would be rounded away."""
    base = tiny_lm.save_base(tmp_path / "base")
    adapted = get_peft_model(tiny_lm.model(), LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear"))
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.001)
    save(adapted, tmp_path / "adapter", {"template": tiny_lm.SHORT, "max_length": MAX_LENGTH})
    with load_scorer(base, tmp_path / "adapter", tiny_lm.score_params(precision="bf16", weights="bf16")) as scorer:
        kept = {name: weight for name, weight in scorer.model.named_parameters() if "lora_" in name}
        own = {name: weight for name, weight in scorer.model.named_parameters() if "lora_" not in name}
        others = {weight.dtype for name, weight in own.items() if "lm_head" not in name}
        scores = tiny_lm.p_yes(scorer, ROWS)
    assert {weight.dtype for weight in kept.values()} == {torch.float32}
    assert others == {torch.bfloat16}
    reference = tiny_lm.scored(base, tmp_path / "adapter", tiny_lm.score_params(), ROWS)
    np.testing.assert_allclose(scores, reference, rtol=0, atol=0.03)


def test_answers_logits_in_bf16_runs_are_not_rounded_to_bf16(folders: tuple[Path, Path]) -> None:
    """In bf16 two logits near 2 are apart by multiples of a 64th, and rows that differ less would tie."""
    with load_scorer(*folders, tiny_lm.score_params(precision="bf16")) as scorer:
        scores = tiny_lm.p_yes(scorer, ROWS)
    differences = np.log(scores / (1 - scores))
    assert not np.allclose(differences * 256, np.round(differences * 256), atol=1e-4)


@pytest.mark.parametrize("model_type", ["gpt2", "phi", "gpt_oss", "kimi_linear"])
def test_a_model_of_another_make_is_refused(folders: tuple[Path, Path], tmp_path: Path, model_type: str) -> None:
    """Other layers; another name for o_proj; a feed-forward part that also tells its routes; layers of no attention."""
    tokens = len(tiny_lm.tokenizer())
    config = CONFIG_MAPPING[model_type](vocab_size=tokens, pad_token_id=0, **OTHERS.get(model_type, causal_lms.SIZES))
    save(AutoModelForCausalLM.from_config(config), tmp_path / "other", {"template": SHORT, "max_length": MAX_LENGTH})
    with (
        pytest.raises(InputError, match=f"not of type '{model_type}': take vllm"),
        load_scorer(folders[0], tmp_path / "other", settings()),
    ):
        pass


def test_an_adapter_of_the_head_is_merged_or_refused(tmp_path: Path) -> None:
    base = tiny_lm.save_base(tmp_path / "base")
    lora = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["lm_head"])
    adapted = get_peft_model(causal_lms.untied(tiny_lm.model()), lora)
    save(adapted, tmp_path / "adapter", {"template": SHORT, "max_length": MAX_LENGTH})
    with load_scorer(base, tmp_path / "adapter", settings()):
        pass
    in_bf16 = tiny_lm.score_params(precision="bf16", weights="bf16")
    with (
        pytest.raises(InputError, match=r"head is a .*Linear.*, not a plain one: set weights to fp32"),
        load_scorer(base, tmp_path / "adapter", in_bf16),
    ):
        pass


def test_an_attention_that_a_model_lacks_is_named(tmp_path: Path) -> None:
    config = CONFIG_MAPPING["gemma2"](vocab_size=len(tiny_lm.tokenizer()), **causal_lms.SIZES)
    save(AutoModelForCausalLM.from_config(config), tmp_path / "model", {"template": SHORT, "max_length": MAX_LENGTH})
    base = tiny_lm.save_base(tmp_path / "base")
    with (
        pytest.raises(InputError, match=r"score.transformers.attention: sdpa: .*: take eager"),
        load_scorer(base, tmp_path / "model", tiny_lm.score_params(attention="sdpa")),
    ):
        pass
    with load_scorer(base, tmp_path / "model", settings()) as scorer:
        assert tiny_lm.p_yes(scorer, ROWS).std() > 0


def test_the_last_layer_feeds_forward_what_is_read_alone(folders: tuple[Path, Path]) -> None:
    fed = []
    with load_scorer(*folders, settings()) as scorer:
        for layer in scorer.model.get_decoder().layers:
            layer.mlp.down_proj.register_forward_pre_hook(lambda _, inputs: fed.append(inputs[0].shape[:2].numel()))
        prompts = scorer.encode(ROWS)
        scorer.score(prompts)
    assert fed[1] == len(ROWS) < fed[0] < prompts.list.len().sum()


@pytest.mark.parametrize("architecture", ["mistral", "gemma3", "gemma3 and images"])
def test_a_prompt_longer_than_the_models_window_is_refused(tmp_path: Path, architecture: str) -> None:
    base = causal_lms.save_base(architecture.removesuffix(" and images"), tmp_path / "base")
    model = AutoModelForCausalLM.from_pretrained(base)
    if architecture.endswith("images"):
        model = causal_lms.with_images(model.config)
    save(model, tmp_path / "model", {"template": SHORT, "max_length": MAX_LENGTH})
    with load_scorer(base, tmp_path / "model", settings()) as scorer:
        window = model.config.get_text_config().sliding_window
        fits, longer = (_of_length(scorer, length) for length in (window, window + 1))
        alone = model.eval()(torch.tensor([scorer.encode(fits)[0].to_list()])).logits[0, -1]
        no, yes = answer_ids(tiny_lm.TEMPLATE, scorer.tokenizer)
        expected = torch.sigmoid(alone[yes] - alone[no]).item()
        np.testing.assert_allclose(scorer.score(scorer.encode(fits)), [expected], atol=1e-5)
        with pytest.raises(InputError, match=f"'{longer['id'][0]}': its prompt of {window + 1} tokens is longer than"):
            scorer.encode(longer)


def _of_length(scorer: TransformersScorer, tokens: int) -> pl.DataFrame:
    """A row whose prompt has so many tokens."""
    for letters in range(1, 100):
        row = ROWS.head(1).with_columns(candidate=pl.lit("7" * letters))
        if len(encode(row, tiny_lm.TEMPLATE, scorer.tokenizer, MAX_LENGTH).ids[0]) == tokens:
            return row
    raise AssertionError(tokens)


def test_weights_in_bf16_are_not_computed_in_fp32() -> None:
    with pytest.raises(InputError, match="bf16 needs precision: bf16"):
        tiny_lm.score_params(precision="fp32", weights="bf16")


def test_a_candidate_longer_than_the_models_prompt_is_shortened(folders: tuple[Path, Path]) -> None:
    long = ROWS.head(1).with_columns(candidate=pl.lit("漢" * 300))
    longer = long.with_columns(candidate=pl.lit("漢" * 301))
    with load_scorer(*folders, settings()) as scorer:
        assert tiny_lm.p_yes(scorer, long).tolist() == tiny_lm.p_yes(scorer, longer).tolist()


def test_no_rows_give_no_scores(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with load_scorer(*folders, settings()) as scorer:
        assert score_pairs(ROWS.clear(), scorer, tmp_path / "done").shape == (0,)


def test_prompts_sort_as_their_lists_of_tokens_do() -> None:
    random = np.random.default_rng(1)
    prompts = [random.choice([0, 1, 255, 256, 65_536, 151_935], size).tolist() for size in random.integers(1, 4, 500)]
    found = by_tokens(pl.Series(prompts, dtype=pl.List(pl.Int32)))
    assert [prompts[number] for number in found] == sorted(prompts)
    assert sorted(found) == list(range(500))
    assert by_tokens(pl.Series([], dtype=pl.List(pl.Int32))).tolist() == []


class PartScorer:
    """Scores by the number in the id; breaks off at its `fatal`-th chunk and remembers what it finished."""

    chunk = 8

    def __init__(self, fatal: int | None = None) -> None:
        self.fatal = fatal
        self.scored: list[int] = []
        self.chunks = self.encodings = 0

    def encode(self, rows: pl.DataFrame) -> pl.Series:
        self.encodings += 1
        numbers = rows["id"].str.slice(1).cast(pl.Int32)
        return pl.Series([[number] for number in numbers], dtype=pl.List(pl.Int32))

    def order(self, prompts: pl.Series) -> np.ndarray:
        return np.arange(len(prompts))[::-1]

    def score(self, prompts: pl.Series) -> np.ndarray:
        self.chunks += 1
        if self.chunks == self.fatal:
            raise MemoryError
        numbers = prompts.list.first()
        self.scored += numbers.to_list()
        return numbers.to_numpy() / 100


def test_a_killed_run_goes_on_from_its_finished_chunks_with_the_same_result(tmp_path: Path) -> None:
    killed, resumed, undisturbed = PartScorer(fatal=3), PartScorer(), PartScorer()
    with pytest.raises(MemoryError):
        score_pairs(ROWS, killed, tmp_path / "done")
    assert len(killed.scored) == 16
    scores = score_pairs(ROWS, resumed, tmp_path / "done")
    assert set(killed.scored).isdisjoint(resumed.scored)
    assert sorted(killed.scored + resumed.scored) == list(range(ROWS.height))
    assert resumed.encodings == 1  # each prompt once, not again for its order or its chunk
    assert scores.tolist() == score_pairs(ROWS, undisturbed, tmp_path / "other").tolist()
    assert scores.tolist() == [number / 100 for number in range(ROWS.height)]


def test_answers_are_read_as_no_then_yes() -> None:
    """The one weight that tells "yes" from "no" is set by hand: p(yes) must rise with it."""
    tokenizer, model = tiny_lm.tokenizer(), tiny_lm.model()
    yes = tokenizer(" yes")["input_ids"][0]
    model.lm_head = torch.nn.Linear(model.config.hidden_size, len(tokenizer))
    with torch.no_grad():
        model.lm_head.weight.zero_()
        model.lm_head.bias.zero_()
        model.lm_head.bias[yes] = 2
    scorer = TransformersScorer(model, tokenizer, tiny_lm.TEMPLATE, MAX_LENGTH, settings().own(Params))
    scores = tiny_lm.p_yes(scorer, ROWS)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-2)), atol=1e-6)
