"""A student's exports give its p(yes) row by row, in sentence-transformers and in onnxruntime, by the card's code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import CrossEncoder

from babelshelf.commands.export.command import export
from babelshelf.commands.export.exported_model import ExportedModel
from babelshelf.commands.export.origins import teacher_terms
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json, write_json
from babelshelf.distill.students import cross_encoder
from babelshelf.score.scorer import load_scorer, score_pairs
from tests.commands.export import exported_lm
from tests.distill.lessons import inputs, lessons
from tests.helpers import tiny_encoder, tiny_lm

OWN = {"revision": "none", "max_length": 32, "epochs": 4, "batch_size": 16, "learning_rate": 0.003}
OWN |= {"warmup_share": 0.1, "weight_decay": 0.01, "precision": "fp32", "loss": "bce"}
ROWS = exported_lm.rows()


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> ExportedModel:
    folder = tmp_path_factory.mktemp("student")
    texts = [text for row in ROWS.select("query", "candidate").rows() for text in row]
    encoder = tiny_encoder.save(folder / "encoder", [*texts, *lessons().rows["candidate"]])
    settings = inputs(folder, student="cross_encoder", cross_encoder=OWN | {"model": str(encoder)})
    cross_encoder.train(lessons(), settings, folder / "model")
    write_json(folder / "calibrated.json", {"threshold": 0.4, "variant": "original"})
    return ExportedModel("qi", folder / "base", folder / "model", folder / "calibrated.json", folder / "none.json")


def expected(student: ExportedModel, tmp_path: Path) -> np.ndarray:
    with load_scorer(student.base, student.model, tiny_lm.score_params()) as scorer:
        return score_pairs(ROWS, scorer, tmp_path / "work")


def code_of(card: Path, mark: str) -> str:
    blocks = re.findall(r"```python\n(.*?)```", card.read_text(encoding="utf-8"), re.DOTALL)
    (code,) = [block for block in blocks if mark in block]
    return code


def test_sentence_transformers_reads_the_folder_itself(student: ExportedModel, tmp_path: Path) -> None:
    export(student, tmp_path / "out", "cross-encoder")
    pairs = ROWS.select("query", "candidate").rows()
    found = CrossEncoder(str(tmp_path / "out"), device="cpu").predict(pairs, show_progress_bar=False)
    assert np.abs(found - expected(student, tmp_path)).max() < 1e-6
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "on the scores of a larger model" in text
    assert "at most 32 tokens together" in text
    assert read_json(tmp_path / "out" / "record.json")["teacher"]["model"] == "models/sft/original/qi"


@pytest.fixture(scope="module")
def exported(student: ExportedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx") / "out"
    export(student, folder, "onnx")
    return folder


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "tolerance"), [("onnx/model.onnx", 1e-5), ("onnx/model_qint8_avx512_vnni.onnx", 0.05)]
)
def test_onnxruntime_gives_the_same_by_the_cards_code(
    student: ExportedModel, exported: Path, tmp_path: Path, file: str, tolerance: float
) -> None:
    code = code_of(exported / "README.md", "def p_yes").replace('"PATH"', repr(str(exported)))
    names: dict[str, object] = {}
    exec(re.sub(r"onnx/model_qint8_avx512_vnni\.onnx", file, code, count=1), names)
    p_yes = names["p_yes"]
    assert callable(p_yes)
    found = np.concatenate(
        [
            p_yes(part["query"].to_list(), part["candidate"].to_list())
            for part in ROWS.iter_slices(50)  # of several widths
        ]
    )
    print(f"{file}: the greatest difference of p(yes) of {ROWS.height} rows is ", end="")
    print(f"{np.abs(found - expected(student, tmp_path)).max():.2e}")
    np.testing.assert_allclose(found, expected(student, tmp_path), rtol=0, atol=tolerance)


@pytest.mark.ci
@pytest.mark.slow
def test_the_8_bit_model_is_smaller_and_the_folder_has_no_other_weights(exported: Path) -> None:
    sizes = [(exported / "onnx" / name).stat().st_size for name in ("model.onnx", "model_qint8_avx512_vnni.onnx")]
    assert sizes[1] < sizes[0]
    assert not list(exported.glob("*.safetensors"))
    assert (exported / "tokenizer.json").is_file()
    assert read_json(exported / "thresholds.json")["threshold"] == 0.4


def _without_special_tokens(folder: Path) -> None:
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"post_processor": None}))


def _with_a_quarter_of_the_length(folder: Path) -> None:
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    assert config["model_max_length"] == OWN["max_length"]
    file.write_text(json.dumps(config | {"model_max_length": 8}), encoding="utf-8")


@pytest.mark.parametrize("mutation", [_without_special_tokens, _with_a_quarter_of_the_length])
def test_what_is_wrong_in_the_folder_shows_in_the_scores(
    student: ExportedModel, tmp_path: Path, mutation: Callable[[Path], None]
) -> None:
    """It is more than the tolerance, so that the comparison above would find it."""
    export(student, tmp_path / "out", "cross-encoder")
    mutation(tmp_path / "out")
    pairs = ROWS.select("query", "candidate").rows()
    found = CrossEncoder(str(tmp_path / "out"), device="cpu").predict(pairs, show_progress_bar=False)
    assert np.abs(found - expected(student, tmp_path)).max() > 1e-4


def test_formats_of_other_models_are_refused(student: ExportedModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"for a classifier, and this is a cross-encoder.*cross-encoder or onnx"):
        export(student, tmp_path / "out", "classifier")


def test_the_terms_of_a_teacher_go_for_its_student() -> None:
    assert "Gemma Terms of Use" in teacher_terms({"folder": "/g", "config": {"model_type": "gemma3_text"}})
    assert "Qwen" in teacher_terms({"folder": "/Qwen3", "config": {"model_type": "qwen3"}})
    assert teacher_terms({}) == ""
