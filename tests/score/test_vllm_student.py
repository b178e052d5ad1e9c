"""A student, a cross-encoder on an encoder, behind vLLM's /rerank: its scores are those of sentence-transformers."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from tests.commands.export import exported_lm
from tests.commands.export.exported_lm import LONG
from tests.helpers import tiny_encoder
from tests.helpers.vllm_server import vllm_server

TOLERANCE = 0.001
ROWS = exported_lm.rows().gather_every(3)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a cross-encoder with random weights, as sentence-transformers writes it."""
    folder = tmp_path_factory.mktemp("student")
    tokenizer = AutoTokenizer.from_pretrained(
        tiny_encoder.save(folder / "encoder", [*ROWS["query"], *ROWS["candidate"]])
    )
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,  # of size 32, the least that vLLM's CPU build has kernels for
        intermediate_size=64,
        initializer_range=0.2,
        max_position_embeddings=64,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
    )
    BertForSequenceClassification(config).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    CrossEncoder(str(folder / "bert"), max_length=64, device="cpu").save_pretrained(str(folder / "student"))
    return folder / "student"


@pytest.fixture(scope="module")
def server(student: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of vLLM with the options of docs/search-engines.md."""
    options = ["--runner", "pooling", "--served-model-name", "relevance", "--max-model-len", "64"]
    with vllm_server(options, model=str(student), log=tmp_path_factory.mktemp("log") / "vllm.log") as url:
        yield url


@pytest.mark.vllm
def test_a_student_answers_rerank_with_its_p_yes(server: str, student: Path) -> None:
    rows = ROWS.filter(~ROWS["candidate"].str.starts_with(LONG))  # vLLM refuses what CrossEncoder cuts
    found = np.empty(rows.height)
    for (query,), part in rows.with_row_index("row").group_by("query"):
        body = {"model": "relevance", "query": query, "documents": part["candidate"].to_list()}
        request = urllib.request.Request(
            f"{server}/rerank", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as reply:
            results = sorted(json.load(reply)["results"], key=lambda one: one["index"])
        found[part["row"].to_numpy()] = [one["relevance_score"] for one in results]
    expected = CrossEncoder(str(student), device="cpu").predict(rows.select("query", "candidate").rows())
    assert expected.std() > 0.05  # or any order of the rows would do
    print(f"the greatest difference of p(yes) of {rows.height} rows is {np.abs(found - expected).max():.2e}")
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
