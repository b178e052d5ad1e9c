"""The exported classifier's sigmoid is our p(yes): in transformers, and on vLLM's /score and /rerank."""

from __future__ import annotations

import dataclasses
import json
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from babelshelf.commands.export.command import export
from babelshelf.commands.export.exported_model import ExportedModel
from babelshelf.commands.export.formats import vllm_score
from babelshelf.core.errors import InputError
from tests.commands.export import exported_lm
from tests.commands.export.exported_lm import BF16_TOLERANCE, LONG, MAX_LENGTH
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


def classified(folder: Path, rows: pl.DataFrame) -> np.ndarray:
    """The sigmoid of the classifier's output, in transformers, of prompts as vLLM renders and tokenizes them."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = []
    for language, query, candidate in rows.select("language", "query", "candidate").iter_rows():
        messages = [{"role": "query", "content": query}, {"role": "document", "content": candidate}]
        rendered = tokenizer.apply_chat_template(messages, language=language, tokenize=False)
        assert not rendered.startswith(causal_lms.BOS)  # which vLLM lets the tokenizer add
        with torch.inference_mode():
            found.append(float(model(**tokenizer(rendered, return_tensors="pt")).logits.sigmoid()))
    return np.array(found)


def test_the_classifiers_sigmoid_is_our_p_yes(exported: tuple[ExportedModel, Path]) -> None:
    source, folder = exported
    rows = ROWS.gather_every(7)
    np.testing.assert_allclose(classified(folder, rows), exported_lm.p_yes(source, rows), rtol=0, atol=TOLERANCE)


def test_in_bf16_the_scores_differ_by_its_rounding_alone(exported: tuple[ExportedModel, Path], tmp_path: Path) -> None:
    source = dataclasses.replace(exported[0], precision="bf16")
    export(source, tmp_path / "out", "vllm-score")
    rows = ROWS.gather_every(10)
    difference = np.abs(classified(tmp_path / "out", rows) - exported_lm.p_yes(source, rows)).max()
    assert 1e-4 < difference < BF16_TOLERANCE  # less than the first would be fp32


def _swapped_answers(folder: Path) -> None:
    file = folder / "model.safetensors"
    weights = load_file(file)
    save_file(weights | {"score.weight": -weights["score.weight"]}, file, {"format": "pt"})


def _without_bos(folder: Path) -> None:
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"post_processor": None}))
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"add_bos_token": False}))


def _swapped_roles(folder: Path) -> None:
    file = folder / "chat_template.jinja"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace('"document"', '"other"').replace('"query"', '"document"').replace('"other"', '"query"'),
        encoding="utf-8",
    )


MUTATIONS: dict[str, Callable[[Path], None]] = {
    "swapped answers": _swapped_answers,
    "no BOS": _without_bos,
    "swapped roles": _swapped_roles,
}


@pytest.mark.parametrize("mutation", list(MUTATIONS))
def test_what_is_wrong_in_the_folder_shows_in_the_scores(
    exported: tuple[ExportedModel, Path], mutation: str, tmp_path: Path
) -> None:
    """Each of them is more than the tolerance, so that the comparison above would find it."""
    source, folder = exported
    shutil.copytree(folder, tmp_path / "mutated")
    MUTATIONS[mutation](tmp_path / "mutated")
    rows = ROWS.gather_every(20)
    difference = np.abs(classified(tmp_path / "mutated", rows) - exported_lm.p_yes(source, rows))
    assert difference.max() > 10 * TOLERANCE


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
