"""What `babelshelf check` and the start of a stage find out with a base model's tokenizer, before any work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tokenizers import processors
from transformers import PreTrainedTokenizerFast

from babelshelf.base_model.nano_lm import train_tokenizer
from babelshelf.core.params import read
from babelshelf.preflight import requirements
from tests.helpers import tiny_lm
from tests.helpers.profiles import NANO
from tests.preflight.test_requirements import Pretended

LARGE = {  # Gemma 3 1B, whose logits are the larger part of a short batch
    "hidden_size": 1152,
    "intermediate_size": 6912,
    "num_hidden_layers": 26,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "head_dim": 256,
    "vocab_size": 262144,
    "tie_word_embeddings": True,
}


@pytest.fixture
def values(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Params whose base LM is the folder `base` of the working folder, with a tokenizer that fits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    for name in ("prompts", "profiles"):
        Path(name).symlink_to(root / name)
    save(tiny_lm.tokenizer())
    params = read(NANO)
    params["base_model"]["lm"] |= {"model": "./base", "revision": "none"}
    return params


def save(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.save_pretrained("base")
    Path("base/config.json").write_text(json.dumps(LARGE), encoding="utf-8")


def appending(token: str) -> PreTrainedTokenizerFast:
    """A tokenizer that puts an end of text after each text, as T5's and some embedders' do."""
    tokenizer = tiny_lm.tokenizer()
    tokenizer.add_special_tokens({"eos_token": token})
    number = tokenizer.convert_tokens_to_ids(token)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {token}", special_tokens=[(token, number)]
    )
    return tokenizer


def rows(folder: Path, queries: list[str]) -> None:
    folder.mkdir(parents=True)
    columns = {"id": [f"row{number}" for number in range(len(queries))], "query": queries}
    constants = {"task": "qc", "language": "en", "candidate": "Shoes > Boots"}
    frame = pl.DataFrame(columns).with_columns(**{name: pl.lit(value) for name, value in constants.items()})
    frame.write_parquet(folder / "train.parquet")


def base_model_problems(values: dict[str, Any]) -> list[str]:
    return requirements.lacking(values, "base_model", None, Pretended(gpus=[], memory=64))


def test_a_tokenizer_with_both_answers_is_accepted(values: dict[str, Any]) -> None:
    assert base_model_problems(values) == []


@pytest.mark.parametrize("token", ["</s>", "<|endoftext|>", "<eos>"])
def test_a_tokenizer_that_appends_an_end_of_text_is_named_as_such(values: dict[str, Any], token: str) -> None:
    save(appending(token))
    (line,) = base_model_problems(values)
    assert line.startswith("base_model.lm.model: ./base: ")
    assert f"appends {token} to each text" in line
    assert "vocabulary" not in line


@pytest.mark.parametrize(("known", "missing"), [(" no", " yes"), (" yes", " no"), (" nein", " no")])
def test_a_tokenizer_without_an_answer_is_named_as_such(values: dict[str, Any], known: str, missing: str) -> None:
    save(train_tokenizer([known] * 10, 512))
    (line,) = base_model_problems(values)
    assert f"the answer '{missing}' is not one token of this tokenizer but " in line
    assert "its vocabulary lacks the word" in line
    assert "appends" not in line


@pytest.mark.parametrize("query", ["boots " * 600, "靴" * 600, "x1 " * 700])
def test_all_queries_that_no_prompt_can_hold_are_named_at_once(values: dict[str, Any], query: str) -> None:
    rows(Path("data/original/qc"), ["boots", query, "warm boots", query])
    (line,) = base_model_problems(values)
    assert "do not hold the query of 2 rows of data/original/qc/train.parquet (row1, row3)" in line


def with_large_batches(values: dict[str, Any]) -> None:
    for name in ("sft", "dpo"):
        values[name] |= {"micro_batch_size": 32, "precision": "fp32", "weights": "fp32"}
        values["tasks"]["qc"][name]["batch_size"] = 32
    values["sft"] |= {"max_length": 512, "adapter": "lora"}


@pytest.mark.parametrize("stage", ["sft", "dpo"])
def test_memory_is_estimated_from_the_rows_where_they_are_there(values: dict[str, Any], stage: str) -> None:
    with_large_batches(values)
    laptop = Pretended(gpus=[], memory=16)
    assert requirements.lacking(values, stage, "qc", laptop) == []  # before `prepare`: they may be short
    rows(Path("data/original/qc"), ["brown boots"] * 32)
    assert requirements.lacking(values, stage, "qc", laptop) == []
    rows(Path("of_the_stage"), ["warm brown boots " * 120] * 32)
    (line,) = requirements.lacking(values, stage, "qc", laptop, files=[Path("of_the_stage/train.parquet")])
    assert line.startswith(f"{stage}: needs about ")
    assert requirements.lacking(values, stage, "qc", Pretended(gpus=[], memory=2)) != []


@pytest.mark.parametrize("method", ["sft", "dpo"])
@pytest.mark.parametrize(("query", "fits"), [("brown boots", True), ("warm brown boots " * 20, False)])
def test_base_model_starts_only_where_the_batches_after_it_fit(
    values: dict[str, Any], method: str, query: str, fits: bool
) -> None:
    with_large_batches(values)
    values["tasks"] = {"qc": values["tasks"]["qc"] | {"method": method}}
    rows(Path("data/original/qc"), [query] * 32)
    lines = requirements.lacking(values, "base_model", "lm", Pretended(gpus=[], memory=16))
    assert [line.partition(" about")[0] for line in lines if line.startswith(("sft", "dpo"))] == (
        [] if fits else ["sft: needs", "dpo: needs"][: 1 if method == "sft" else 2]
    )
    values["tasks"]["qc"] |= {"method": "classifier", "train_on": "negatives"}
    assert requirements.lacking(values, "base_model", "lm", Pretended(gpus=[], memory=16)) == []


def test_memory_of_scoring_is_estimated_from_the_rows_too(values: dict[str, Any]) -> None:
    values["tasks"]["qc"]["method"] = "sft"
    values["sft"]["max_length"] = 200_000
    values["score"]["transformers"] |= {"batch_tokens": 512, "row_tokens": 64, "precision": "fp32", "weights": "fp32"}
    laptop = Pretended(gpus=[], memory=16)
    rows(Path("data/original/qc"), ["brown boots"] * 32)
    files = [Path("data/original/qc/train.parquet")]
    assert requirements.lacking(values, "score", None, laptop, files=files) == []
    rows(Path("long"), ["warm brown boots " * 40_000])
    (line,) = requirements.lacking(values, "score", None, laptop, files=[Path("long/train.parquet")])
    assert line.startswith("score: needs about ")
