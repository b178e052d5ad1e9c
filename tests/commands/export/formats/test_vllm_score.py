"""The exported classifier's sigmoid is our p(yes): in transformers, and on vLLM's /score and /rerank."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from babelshelf.commands.export.command import export
from babelshelf.commands.export.exported_model import ExportedModel
from babelshelf.commands.export.formats import vllm_score
from babelshelf.core.errors import InputError
from tests.commands.export import exported_lm
from tests.commands.export.exported_lm import LONG, MAX_LENGTH
from tests.helpers import causal_lms
from tests.helpers.vllm_server import vllm_server

TOLERANCE = 0.001
HEAD = 32  # the least that vLLM's CPU build has kernels for
ROWS = exported_lm.rows().filter(~pl.col("candidate").str.starts_with(LONG))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[ExportedModel, Path]:
    """A model with an adapter, and its export."""
    folder = tmp_path_factory.mktemp("vllm_score")
    source = exported_lm.model(folder, "candidate_last", head_dim=HEAD)
    export(source, folder / "out", "vllm-score")
    return source, folder / "out"


def test_the_classifiers_sigmoid_is_our_p_yes(exported: tuple[ExportedModel, Path]) -> None:
    source, folder = exported
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = ROWS.gather_every(7)
    found = []
    for language, query, candidate in rows.select("language", "query", "candidate").iter_rows():
        messages = [{"role": "query", "content": query}, {"role": "document", "content": candidate}]
        rendered = tokenizer.apply_chat_template(messages, language=language, tokenize=False)
        assert not rendered.startswith(causal_lms.BOS)  # which vLLM lets the tokenizer add
        with torch.inference_mode():
            found.append(float(model(**tokenizer(rendered, return_tensors="pt")).logits.sigmoid()))
    np.testing.assert_allclose(found, exported_lm.p_yes(source, rows), rtol=0, atol=TOLERANCE)


def test_an_lm_that_changes_its_logits_after_the_head_is_refused(tmp_path: Path) -> None:
    lm = causal_lms.load(causal_lms.save_base("gemma2", tmp_path))
    assert lm.config.final_logit_softcapping
    with pytest.raises(InputError, match=r"final_logit_softcapping.*cross-encoder"):
        vllm_score.classifier(lm, (1, 2), 0)


@pytest.fixture(scope="module")
def server(exported: tuple[ExportedModel, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of vLLM with the options of the card."""
    _, folder = exported
    card = ["--runner", "pooling", "--chat-template", str(folder / "chat_template.jinja")]
    own = ["--max-model-len", str(MAX_LENGTH), "--served-model-name", "relevance"]
    log = tmp_path_factory.mktemp("log") / "vllm.log"
    with vllm_server([*card, *own], model=str(folder), log=log) as url:
        yield url


def asked(url: str, **body: object) -> dict[str, Any]:
    request = urllib.request.Request(
        url, json.dumps({"model": "relevance"} | body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer


@pytest.mark.vllm
def test_vllm_answers_score_and_rerank_with_our_p_yes(server: str, exported: tuple[ExportedModel, Path]) -> None:
    source, _ = exported
    scored, ranked = np.empty(ROWS.height), np.empty(ROWS.height)
    for (language, query), part in ROWS.with_row_index("row").group_by("language", "query"):
        given = {"chat_template_kwargs": {"language": language}}
        numbers, candidates = part["row"].to_numpy(), part["candidate"].to_list()
        found = asked(f"{server}/score", text_1=query, text_2=candidates, **given)["data"]
        scored[numbers] = [one["score"] for one in sorted(found, key=lambda one: one["index"])]
        found = asked(f"{server}/rerank", query=query, documents=candidates, **given)["results"]
        ranked[numbers] = [one["relevance_score"] for one in sorted(found, key=lambda one: one["index"])]
    expected = exported_lm.p_yes(source, ROWS)
    print(f"the greatest difference of p(yes) of {ROWS.height} rows is {np.abs(scored - expected).max():.2e}")
    np.testing.assert_allclose(scored, expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(ranked, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.vllm
def test_vllm_refuses_a_long_prompt_and_cuts_a_candidate_if_it_is_asked_to(server: str) -> None:
    with pytest.raises(HTTPError) as error:
        asked(f"{server}/score", text_1="red shoes", text_2=LONG)
    assert error.value.code == 400
    assert 0 < asked(f"{server}/score", text_1="red shoes", text_2=LONG, max_tokens_per_doc=40)["data"][0]["score"] < 1
