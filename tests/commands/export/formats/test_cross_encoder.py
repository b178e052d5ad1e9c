"""sentence-transformers' CrossEncoder gives our p(yes) of the exported folder, row by row."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sentence_transformers import CrossEncoder

from babelshelf.commands.export import chat_template
from babelshelf.commands.export.command import export
from babelshelf.commands.export.exported_model import ExportedModel
from babelshelf.core.files import write_json
from babelshelf.llm.base_model import identity
from babelshelf.trainer.models import save
from tests.commands.export import exported_lm
from tests.commands.export.exported_lm import BF16_TOLERANCE, LONG, PROMPTS
from tests.helpers import tiny_lm

TOLERANCE = 0.001
ROWS = exported_lm.rows()
END = "\n\n"  # of the prompt after the candidate, a token each
SHORT = ~pl.col("candidate").str.starts_with(LONG)


@pytest.fixture(scope="module", params=list(PROMPTS))
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[ExportedModel, Path]:
    """A model with an adapter, and its export."""
    folder = tmp_path_factory.mktemp(request.param)
    source = exported_lm.model(folder, request.param)
    export(source, folder / "out", "cross-encoder")
    return source, folder / "out"


def predicted(folder: Path, rows: pl.DataFrame) -> np.ndarray:
    """p(yes) as a user of sentence-transformers gets it, a call a language."""
    model = CrossEncoder(str(folder), device="cpu")
    found = np.empty(rows.height)
    for (language,), part in rows.with_row_index("row").group_by("language"):
        given = {"chat_template": {"language": language}}
        pairs = list(part.select("query", "candidate").iter_rows())
        found[part["row"].to_numpy()] = model.predict(pairs, processing_kwargs=given)
    return found


def shortened(folder: Path, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the candidates that the card's code gives."""
    names = {"model": CrossEncoder(str(folder), device="cpu")}
    blocks = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (code,) = [block for block in blocks if "def shortened" in block]
    exec(code, names)
    columns = rows.select("query", "candidate", "language").iter_rows()
    return rows.with_columns(candidate=pl.Series([names["shortened"](*row) for row in columns]))


def test_scores_are_our_p_yes_row_by_row(exported: tuple[ExportedModel, Path]) -> None:
    source, folder = exported
    expected = exported_lm.p_yes(source, ROWS)
    found = predicted(folder, shortened(folder, ROWS))
    print(f"the greatest difference of p(yes) of {ROWS.height} rows is {np.abs(found - expected).max():.2e}")
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def test_only_long_candidates_are_shortened_by_the_cards_code(exported: tuple[ExportedModel, Path]) -> None:
    _, folder = exported
    before, after = ROWS["candidate"], shortened(folder, ROWS)["candidate"]
    assert ((before != after) == ~ROWS.select(SHORT).to_series()).all()


def test_a_long_candidate_costs_no_query_and_no_end_of_the_prompt(exported: tuple[ExportedModel, Path]) -> None:
    source, folder = exported
    template, longest = source.prompt()
    tokenizer = source.tokenizer()
    given = {"chat_template": {"language": "en"}}
    row = {"task": "qi", "language": "en", "query": "red one", "candidate": f"{LONG} pan"}
    model = CrossEncoder(str(folder), device="cpu")
    features = model.preprocess([(row["query"], row["candidate"])], processing_kwargs=given)
    ids, whole = features["input_ids"][0].tolist(), tokenizer(template.render(row))["input_ids"]
    if chat_template.candidate_is_last(template):
        end = tokenizer(template.render(row | {"candidate": "pan"}))["input_ids"][-len(END) :]
        assert ids == whole[: longest - 1 - len(END)] + end
    else:
        assert ids == whole
        assert len(ids) > longest


def test_a_model_with_all_its_weights_and_a_tokenizer_without_bos(tmp_path: Path) -> None:
    """As the built-in LM is fine-tuned; its special token stands in a text."""
    base = tiny_lm.save_base(tmp_path / "base" / "lm")
    record = {"variant": "original", "template": tiny_lm.SHORT, "max_length": 64, "base": identity(base)}
    save(tiny_lm.model(seed=2), tmp_path / "model", record)
    write_json(tmp_path / "calibrate.json", {"threshold": 0.5})
    source = ExportedModel("qi", tmp_path / "base", tmp_path / "model", tmp_path / "calibrate.json", tmp_path / "none")
    export(source, tmp_path / "out", "cross-encoder")
    pad = source.tokenizer().pad_token
    rows = tiny_lm.rows([*tiny_lm.QUERIES, f"a {pad}"], [*tiny_lm.SHOES, f"pan{pad}"])
    np.testing.assert_allclose(predicted(tmp_path / "out", rows), exported_lm.p_yes(source, rows), atol=TOLERANCE)


def mutated(folder: Path, file: str, change: Callable[[str], str]) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert change(text) != text
    (folder / file).write_text(change(text), encoding="utf-8")


def _swapped(text: str) -> str:
    ids = json.loads(text)
    return json.dumps({"true_token_id": ids["false_token_id"], "false_token_id": ids["true_token_id"]})


def _swapped_roles(text: str) -> str:
    return text.replace('"document"', '"other"').replace('"query"', '"document"').replace('"other"', '"query"')


MUTATIONS: dict[str, tuple[str, Callable[[str], str]]] = {
    "swapped ids": ("1_LogitScore/config.json", _swapped),
    "no BOS": ("chat_template.jinja", lambda text: text.replace('{{- "<bos>" -}}', "")),
    "swapped roles": ("chat_template.jinja", _swapped_roles),
    "another language": ("chat_template.jinja", lambda text: text.replace("= language |", "= undefined |")),
    "a special token in a text": (
        "chat_template.jinja",
        lambda text: text.replace('replace("<eos>"', 'replace("<none>"'),
    ),
    "another task": ("sentence_bert_config.json", lambda text: text.replace('"message"', '"image"')),
}


@pytest.mark.parametrize("exported", ["query_last"], indirect=True)
@pytest.mark.parametrize("mutation", list(MUTATIONS))
def test_what_is_wrong_in_the_folder_shows_in_the_scores(
    exported: tuple[ExportedModel, Path], mutation: str, tmp_path: Path
) -> None:
    """Each of them is more than the tolerance, so that the comparison above would find it."""
    source, folder = exported
    shutil.copytree(folder, tmp_path / "mutated")
    mutated(tmp_path / "mutated", *MUTATIONS[mutation])
    rows = ROWS.filter(SHORT).gather_every(3)
    difference = np.abs(predicted(tmp_path / "mutated", rows) - exported_lm.p_yes(source, rows))
    assert difference.max() > 10 * TOLERANCE


def test_in_bf16_the_scores_differ_by_its_rounding_alone(exported: tuple[ExportedModel, Path], tmp_path: Path) -> None:
    source = dataclasses.replace(exported[0], precision="bf16")
    export(source, tmp_path / "out", "cross-encoder")
    rows = ROWS.filter(SHORT).gather_every(10)
    difference = np.abs(predicted(tmp_path / "out", rows) - exported_lm.p_yes(source, rows)).max()
    print(f"the greatest difference of p(yes) of {rows.height} rows is {difference:.2e}")
    assert 1e-4 < difference < BF16_TOLERANCE  # less than the first would be fp32
