"""The benchmark of scoring: every line runs on a tiny model, all score the same rows, and its FLOPs are PyTorch's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.utils.flop_counter import FlopCounterMode
from transformers import Qwen3Config, Qwen3ForCausalLM

from babelshelf.base_model.params import BaseModelParams
from babelshelf.core.params import load
from babelshelf.core.rows import write_rows
from babelshelf.llm.base_model import load_tokenizer
from babelshelf.llm.prompts import load_template
from babelshelf.score.scorer import load_scorer
from benchmarks import scoring_speed, shapes
from tests.helpers import tiny_lm

pytestmark = pytest.mark.slow

ROWS = tiny_lm.rows()
PROMPT = load_template(Path("prompts/short/qc.txt"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> scoring_speed.Models:
    return scoring_speed.save_models(tmp_path_factory.mktemp("models"), ROWS, PROMPT, tiny_lm.SETTINGS)


@pytest.mark.parametrize("shape", ["nano", "tiny"])
def test_a_table_of_all_ways_is_told(shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = load(BaseModelParams, "base_model")
    tiny = params.model_copy(update={"lm": params.lm.model_copy(update={"nano": tiny_lm.SETTINGS})})
    monkeypatch.setattr(
        scoring_speed, "load", lambda model, name: tiny if model is BaseModelParams else load(model, name)
    )
    monkeypatch.setattr(scoring_speed, "KINDS", [("eager", "fp32"), ("sdpa", "bf16")])
    monkeypatch.setattr(scoring_speed, "SQUARES", [64])
    write_rows(tmp_path / "pairs.parquet", ROWS)
    arguments = ["--pairs", str(tmp_path / "pairs.parquet"), "--count", "20", "--rounds", "2", "--shape", shape]
    arguments += ["--batch-size", "8", "--batch-size", "16"]
    told = CliRunner().invoke(scoring_speed.main, arguments)
    assert told.exit_code == 0, told.output
    lines = [line.strip("| ").split(" | ") for line in told.output.splitlines() if line.startswith("| ")]
    assert [line[0] for line in lines[2:]] == ["generate", "CrossEncoder", "ours"]
    generate, cross_encoder, ours = (float(line[1].replace(",", "")) for line in lines[2:])
    assert float(lines[4][3]) == pytest.approx(ours / generate, abs=0.06)
    assert float(lines[4][4]) == pytest.approx(ours / cross_encoder, abs=0.06)
    assert "20 pairs" in told.output


def test_generate_scores_what_our_scorer_does(models: scoring_speed.Models) -> None:
    with load_scorer(models.base, models.scored, tiny_lm.score_params()) as scorer:
        expected = scoring_speed.ours(scorer)(ROWS)
    found = scoring_speed.generate(models.scored, load_tokenizer(models.base), PROMPT)(ROWS)
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_a_cross_encoder_gives_each_row_a_number_of_its_own(models: scoring_speed.Models) -> None:
    encoder = scoring_speed.load_cross_encoder(models.classifier, "eager", "fp32")
    scores = [scoring_speed.cross_encoder(encoder, size)(ROWS) for size in (1, 30)]
    assert scores[0].shape == (len(ROWS),)
    assert scores[0].std() > 0.001
    np.testing.assert_allclose(scores[0], scores[1], rtol=0, atol=1e-5)


def test_flops_are_those_that_pytorch_counts() -> None:
    config = Qwen3Config(**shapes.SHAPES["tiny"], attn_implementation="eager")
    model = Qwen3ForCausalLM(config)
    ids = torch.randint(0, 1000, (4, 96))
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        model(ids, logits_to_keep=1, use_cache=False)
    seen = 2  # this attention computes all positions, of which a causal one needs half
    attention = 2 * 2 * 64 * 96 / 2 * ids.numel() * config.num_hidden_layers * (seen - 1)
    expected = scoring_speed.needed_flops(config, [96] * 4, config.vocab_size) + attention
    assert counted.get_total_flops() == pytest.approx(expected, rel=0.01)
