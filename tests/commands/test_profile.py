"""The shipped profiles: paper has the design's facts key by key, profiles come and go, its ladder is the nano one's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from babelshelf.commands import profile
from babelshelf.commands.check import (
    check,
    languages_without_encoder,
    notes,
    prepared_statistics,
    unmeasured_translation,
    unused_scoring_backend,
)
from babelshelf.commands.ladder.rows import read_ladder
from babelshelf.core.files import read_json, write_json
from babelshelf.core.params import read
from babelshelf.llm.params import COMMIT
from tests.helpers.profiles import NANO

# The facts of the method that a full-scale run uses (arXiv 2510.21671), as the design's table has them.
PAPER = {
    "base_model.lm.model": "Qwen/Qwen3-14B-Base",
    "base_model.embedder.model": "Qwen/Qwen3-Embedding-4B",
    "sft.adapter": "lora",
    "sft.lora.r": 32,
    "sft.lora.dropout": 0.1,
    "sft.max_length": 512,
    "sft.precision": "bf16",
    "sft.attention": "flash_attention_2",
    "sft.weights": "bf16",
    "sft.accelerate": "fsdp",
    "tasks.qc.sft.batch_size": 128,
    "tasks.qc.sft.learning_rate": 7.5e-5,
    "tasks.qc.sft.epochs": 1,
    "tasks.qi.sft.batch_size": 64,
    "tasks.qi.sft.learning_rate": 5e-5,
    "tasks.qi.sft.epochs": 2,
    "tasks.qc.calibrate.threshold": "tuned",
    "tasks.qi.calibrate.threshold": "tuned",
    "tasks.qc.method": "sft",
    "tasks.qi.method": "sft",
    "tasks.qc.train_on": "negatives",
    "tasks.qc.negatives_on": "translated",
    "tasks.qi.train_on": "filtered",
    "tasks.qi.filter_on": "translated",
    "tasks.qc.mine_negatives.rank_window": [20, 50],
    "tasks.qi.mine_negatives.rank_window": [20, 50],
    "mine_negatives.precision": "bf16",
    "mine_negatives.index": "flat",
    "translate.languages": ["de", "it", "pl", "ar"],
    "translate.backend": "vllm",
    "translate.vllm.model": "ByteDance-Seed/Seed-X-PPO-7B",
    "score.backend": "vllm",
    "score.vllm.precision": "bf16",
    "score.vllm.tensor_parallel": 2,
    "score.vllm.data_parallel": 2,
    "tasks.qc.translate.rows_per_language": 45000,
    "tasks.qi.translate.rows_per_language": 45000,
    "tasks.qc.filter.derived": "judge",
    "tasks.qi.filter.derived": "judge",
    "sft.template": "paper",
}
METHOD = ("tasks", "translate", "mine_negatives", "sft", "dpo", "score", "calibrate", "base_model")
# What does not count with what the paper chooses.
UNUSED = (
    "translate.glossary",
    "mine_negatives.ivf",
    "mine_negatives.hnsw",
    "base_model.template",
    "base_model.lm.nano",
    *(f"tasks.{task}.{key}" for task in ("qc", "qi") for key in ("teacher", "queries_on", "distill")),  # no step of it
)


@pytest.fixture
def params(root: Path, tmp_path: Path) -> Path:
    """A copy of params.yaml, to be changed."""
    return Path(shutil.copy(NANO, tmp_path / "params.yaml"))


def _value(values: Any, path: str) -> Any:  # noqa: ANN401 - whatever YAML holds
    for key in path.split("."):
        values = values[key]
    return values


def test_paper_has_the_facts_of_the_method(root: Path, params: Path) -> None:
    profile.apply("paper", params, root / "profiles")
    values = read(params)
    assert {path: _value(values, path) for path in PAPER} == PAPER


def test_paper_itself_says_every_fact(root: Path) -> None:
    """What it left to params.yaml would follow another profile that was applied before."""
    overlay = read(root / "profiles" / "paper.yaml")
    assert {path: _value(overlay, path) for path in PAPER} == PAPER


def _leaves(values: Any, prefix: str = "") -> Iterator[str]:  # noqa: ANN401 - whatever YAML holds
    if not isinstance(values, dict):
        yield prefix
        return
    for key, value in values.items():
        yield from _leaves(value, f"{prefix}.{key}" if prefix else key)


def test_paper_inherits_no_param_of_the_method(root: Path, params: Path) -> None:
    profile.apply("paper", params, root / "profiles")
    merged = {section: value for section, value in read(params).items() if section in METHOD}
    said = set(_leaves(read(root / "profiles" / "paper.yaml")))
    assert [path for path in _leaves(merged) if path not in said and not path.startswith(UNUSED)] == []


def test_the_papers_prompt_of_items_names_spelling_variants_and_ambiguous_intent(root: Path) -> None:
    qc, qi = ((root / "prompts" / "paper" / f"{task}.txt").read_text(encoding="utf-8") for task in ("qc", "qi"))
    assert "spelling variants" in qi
    assert "ambiguous" in qi
    assert "ambiguous" not in qc


@pytest.mark.parametrize("name", ["small", "paper"])
def test_a_profile_of_the_hub_pins_its_models(root: Path, name: str) -> None:
    base = read(root / "profiles" / f"{name}.yaml")["base_model"]
    for source in base.values():
        assert COMMIT.fullmatch(source["revision"])


@pytest.mark.parametrize("name", ["small", "paper", "lm-cpu", "cikm2025"])
def test_nano_undoes_a_profile(root: Path, params: Path, name: str) -> None:
    before = params.read_text(encoding="utf-8")
    changes = profile.apply(name, params, root / "profiles")
    assert changes
    after = {line.partition(" # ")[2] for line in params.read_text(encoding="utf-8").splitlines()}
    kept = [line.partition(" # ")[2] for line in before.splitlines() if not line.startswith("    ")]
    assert set(kept) <= after
    profile.apply("nano", params, root / "profiles")
    assert params.read_text(encoding="utf-8") == before


def test_judges_come_as_lines_of_their_own_and_go_with_nano(root: Path, params: Path) -> None:
    before = read(params)
    profile.apply("judges", params, root / "profiles")
    lines = params.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "judges:" in line] == ["      judges:"] * 2  # not in the braces of qi
    profile.apply("nano", params, root / "profiles")
    assert read(params) == before


def test_paper_after_cikm2025_is_the_paper_on_the_competitions_data(root: Path, params: Path) -> None:
    for name in ("cikm2025", "paper"):
        profile.apply(name, params, root / "profiles")
    check(params)
    values = read(params)
    assert values["prepare"]["source"] == "cikm2025"
    held_out = values["prepare"]["cikm2025"]["split"]["holdout_languages"]
    assert held_out
    assert not set(held_out) & {"de", "it", "pl", "ar"}
    merged = PAPER | {"translate.languages": ["de", "it", "pl", "ar", *held_out]}
    assert {path: _value(values, path) for path in merged} == merged


def test_check_warns_where_dev_and_test_cannot_show_what_translation_gains(params: Path) -> None:
    def prepared(dev: list[str], test: list[str]) -> dict[str, Any]:
        of_task = {name: {"languages": {code: {} for code in codes}} for name, codes in (("dev", dev), ("test", test))}
        return {"qc": of_task, "qi": of_task}

    values = read(params)
    (unknown,) = unmeasured_translation(values, {})
    assert "not known before `dvc repro prepare` has run" in unknown
    assert unmeasured_translation(values, prepared(["en"], ["en", "pl"])) == []
    lines = unmeasured_translation(values, prepared(["en", "fr"], ["en"]))
    assert [line.partition(", so its")[0] for line in lines] == [
        f"check: translate.languages: none of de, it, pl, ar is in dev or test of {task}" for task in ("qc", "qi")
    ]
    values["translate"]["languages"] = []
    assert unmeasured_translation(values, prepared(["en"], ["en"])) == []


@pytest.mark.parametrize(("profiles", "warns"), [([], False), (["esci", "paper"], True), (["cikm2025", "paper"], True)])
def test_metrics_of_other_data_say_nothing_of_dev_and_test(
    root: Path, params: Path, tmp_path: Path, profiles: list[str], warns: bool
) -> None:
    """metrics/prepare.json and dvc.lock are those of the demo until `prepare` runs on the data of the profile."""
    ran_with = {"stages": {"prepare": {"params": {"params.yaml": {"prepare": read(params)["prepare"]}}}}}
    (tmp_path / "dvc.lock").write_text(json.dumps(ran_with))
    of_task = {"dev": {"languages": {"en": {}, "de": {}}}, "test": {"languages": {"vi": {}}}}
    write_json(tmp_path / "prepare.json", {"qc": of_task, "qi": of_task})
    for name in profiles:
        profile.apply(name, params, root / "profiles")
    values = read(params)
    lines = notes(values, prepared_statistics(values, tmp_path / "prepare.json", tmp_path / "dvc.lock"))
    assert any("not known before" in line for line in lines) == warns
    assert any("not trained for vi" in line for line in lines) != warns


def test_check_names_languages_that_the_encoder_was_not_trained_for(params: Path) -> None:
    values = read(params)
    assert languages_without_encoder(values, {}) == []
    prepared = {"qi": {"train": {"languages": {"en": {}, "vi": {}}}, "test": {"languages": {"id": {}}}}}
    (line,) = languages_without_encoder(values, prepared)
    assert line.startswith("check: base_model.embedder.model: use_multilingual was not trained for id, vi: ")
    assert line.endswith("e5_small knows more of them")
    values["translate"]["languages"] = ["de", "tlh"]
    values["base_model"]["embedder"]["model"] = "use_multilingual+e5_small"
    (line,) = languages_without_encoder(values, prepared)
    assert "not trained for tlh: " in line
    assert line.endswith("are worse")
    values["base_model"]["embedder"]["model"] = "intfloat/multilingual-e5-base"
    assert languages_without_encoder(values, prepared) == []


def test_statistics_of_data_that_params_no_longer_name_are_not_used(params: Path, tmp_path: Path) -> None:
    values, metrics, lock = read(params), tmp_path / "prepare.json", tmp_path / "dvc.lock"
    write_json(metrics, {"qc": {"dev": {"rows": 3}}})
    assert prepared_statistics(values, metrics, lock) == {}
    ran = {"stages": {"prepare": {"params": {"params.yaml": {"prepare": values["prepare"], "seed": 1}}}}}
    YAML().dump(ran, lock)
    assert prepared_statistics(values, metrics, lock) == read_json(metrics)
    values["prepare"]["source"] = "files"
    assert prepared_statistics(values, metrics, lock) == {}


@pytest.mark.parametrize("models", ["small", "paper", "lm-cpu"])
@pytest.mark.parametrize("data", ["taxonomy", "esci"])
def test_models_may_come_before_or_after_data_of_one_task(root: Path, tmp_path: Path, data: str, models: str) -> None:
    found = []
    for order in ((data, models), (models, data)):
        params = Path(shutil.copy(NANO, tmp_path / f"{order[0]}.yaml"))
        for name in order:
            profile.apply(name, params, root / "profiles")
        check(params)
        found.append(read(params))
    assert found[0]["tasks"].keys() == found[1]["tasks"].keys() < {"qc", "qi"}
    assert found[0]["sft"] == found[1]["sft"]


def test_the_papers_ladder_differs_from_the_nano_one_in_the_bases_alone(root: Path, params: Path) -> None:
    profile.apply("paper", params, root / "profiles")
    values = read(params)
    nano = read_ladder(values, root / "ladder.yaml")
    paper = read_ladder(values, root / "profiles" / "ladder" / "paper.yaml")
    for ours, theirs in zip(nano, paper, strict=True):
        assert theirs.model_copy(update={"set": {}}) == ours.model_copy(update={"set": {}})
        assert _without_base(theirs.set) == _without_base(ours.set)
    base = {row.name: row.set["base_model.lm.model"] for row in paper}
    assert {name for name in base if base[name] == "Qwen/Qwen3-8B-Base"} == {"baseline", "small-sft", "small-dpo"}
    assert set(base.values()) == {"Qwen/Qwen3-8B-Base", PAPER["base_model.lm.model"]}
    assert all(COMMIT.fullmatch(row.set["base_model.lm.revision"]) for row in paper)


def _without_base(values: dict[str, Any]) -> dict[str, Any]:
    """Without what differs: the base, and that the paper's rows train by epochs."""
    own = ("base_model.lm.", "tasks.qc.sft.steps", "tasks.qi.sft.steps")
    return {path: value for path, value in values.items() if not path.startswith(own)}


def test_check_says_that_a_classifier_is_not_scored_by_the_backend(root: Path, params: Path) -> None:
    values = read(params)
    for task in ("qc", "qi"):
        values["tasks"][task]["method"] = "sft"
    assert unused_scoring_backend(values) == []
    values["tasks"]["qc"]["method"] = "classifier"
    assert unused_scoring_backend(values) == []
    values["score"]["backend"] = "vllm"
    assert [line.split(" fine-tuned")[0] for line in unused_scoring_backend(values)] == [
        "check: score.backend: vllm serves"
    ]
    assert "qc (method: classifier)" in unused_scoring_backend(values)[0]


@pytest.mark.parametrize("first", ["esci", "taxonomy"])
@pytest.mark.parametrize("second", ["cikm2025", "esci", "nano"])
def test_a_profile_of_data_brings_back_the_tasks_that_another_took_away(params: Path, first: str, second: str) -> None:
    profile.apply(second, params)
    expected = read(params)["tasks"]
    shutil.copy(NANO, params)
    profile.apply(first, params)
    assert len(read(params)["tasks"]) == 1
    profile.apply(second, params)
    assert read(params)["tasks"] == expected


def test_a_calibration_method_is_chosen_and_the_sections_of_the_others_stay(params: Path) -> None:
    before = read(params)["calibrate"]
    changes = profile.choose("calibrate.logistic", params)
    assert [change.path for change in changes] == ["calibrate.method"]
    assert read(params)["calibrate"] == before | {"method": "logistic"}
