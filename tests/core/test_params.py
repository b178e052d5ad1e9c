"""params.yaml is valid as a whole, every mistake in it is found and named, and profiles change just what they say."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from babelshelf.commands import profile, renamed
from babelshelf.commands.check import check
from babelshelf.core.errors import InputError
from babelshelf.core.params import load, load_seed, read
from babelshelf.prepare.params import SOURCES
from babelshelf.sft.params import SftParams
from babelshelf.translate.params import BACKENDS
from tests.helpers.profiles import NANO, variants

REMOVED = object()


@pytest.fixture
def params(tmp_path: Path) -> Path:
    """A copy of params.yaml, to be changed."""
    return Path(shutil.copy(NANO, tmp_path / "params.yaml"))


@pytest.fixture
def overlays(tmp_path: Path) -> Path:
    """An empty folder of profiles."""
    folder = tmp_path / "profiles"
    folder.mkdir()
    return folder


def _set(file: Path, path: str, value: object) -> None:
    values = read(file)
    *parents, last = path.split(".")
    section: dict[str, Any] = values
    for key in parents:
        section = section[key]
    if value is REMOVED:
        del section[last]
    else:
        section[last] = value
    YAML().dump(values, file)


@pytest.mark.parametrize("name", variants())
def test_params_and_every_profile_are_valid(name: str, tmp_path: Path) -> None:
    YAML().dump(variants()[name], tmp_path / name)
    check(tmp_path / name)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("seed", -1, "seed: expected an integer >= 0, found -1"),
        ("seed", REMOVED, "seed: expected an integer"),
        ("scoring", {}, "scoring: unknown section"),
        ("report_to", "comet", "report_to: expected none, dvclive, mlflow, tensorboard, wandb, found 'comet'"),
        ("report_to", REMOVED, "report_to: expected none, dvclive"),
        ("tasks", REMOVED, "tasks: expected a mapping of tasks"),
        ("tasks.qx", {}, "tasks.qx: the source 'demo' has no such task, only qc, qi"),
        ("tasks.qi.trained_on", "negatives", "tasks.qi.trained_on: unknown key"),
        ("tasks.qi.train_on", REMOVED, "tasks.qi.train_on: missing key"),
        (
            "tasks.qi.train_on",
            "translation",
            "tasks.qi.train_on: Input should be 'original', 'translated', 'negatives'",
        ),
        (
            "tasks.qi.method",
            "ppo",
            "tasks.qi.method: Input should be 'sft', 'dpo', 'classifier' or 'distill', found 'ppo'",
        ),
        ("tasks.qi.method", REMOVED, "tasks.qi.method: missing key"),
        ("tasks.qi.dpo.beta", 0.1, "dpo.beta is given again as tasks.qi.dpo.beta: keep one"),
        ("dpo.beta", 0.0, "dpo.beta: Input should be greater than 0, found 0.0"),
        ("tasks.qi.negatives_on", "filtered", "tasks.qi.negatives_on: Input should be"),  # a cycle
        ("tasks.qi.filter_on", "filtered", "tasks.qi.filter_on: Input should be"),  # a cycle
        ("tasks.qi", None, "tasks.qi: expected a mapping, found None"),
        ("tasks.qi.mine_negatives.rank_window", [12, 1], "tasks.qi.mine_negatives.rank_window"),
        ("tasks.qi.calibrate.threshold", 1.5, "tasks.qi.calibrate.threshold"),
        ("tasks.qc.sft.template", "short", "sft.template is given again as tasks.qc.sft.template: keep one"),
        ("sft.templates", "short", "sft.templates: unknown key"),
        ("sft.adapter", "qlora", "sft.adapter: Input should be 'lora' or 'none', found 'qlora'"),
        (
            "score.transformers.batch_tokens",
            "8192",
            "score.transformers.batch_tokens: Input should be a valid integer, found '8192'",
        ),
        ("score.ray", {"address": "ray://head:10001"}, "score.ray.address: String should match pattern"),
        ("score.ray", {"replicas": 0}, "score.ray.replicas: Input should be greater than or equal to 1, found 0"),
        ("score", None, "score: expected a mapping, found None"),
        ("prepare.source", "marketplace", "prepare.source: no source 'marketplace'; there are"),
        ("prepare.demo.rows_train.qc", 0, "prepare.demo.rows_train.qc: Input should be greater than 0"),
        ("base_model.lm.nano.layers", REMOVED, "base_model.lm.nano.layers: missing key"),
        ("prepare.files", {"tasks": ["qc", "qc"]}, "prepare.files.tasks: a task is there twice"),
        (
            "data_report.queries_per_language",
            -1,
            "data_report.queries_per_language: expected all or a num",
        ),
        ("evaluate.confidence", 95, "evaluate.confidence: Input should be less than 1, found 95"),
    ],
)
def test_a_mistake_is_named_by_its_path(params: Path, path: str, value: object, expected: str) -> None:
    _set(params, path, value)
    with pytest.raises(InputError) as raised:
        check(params)
    assert f"{params}: {expected}" in raised.value.message


def test_all_mistakes_are_named_together_and_each_once(params: Path) -> None:
    _set(params, "seed", "one")
    _set(params, "sft.adapter", "qlora")  # a section that both tasks read
    _set(params, "tasks.qi.train_on", REMOVED)
    with pytest.raises(InputError) as raised:
        check(params)
    lines = raised.value.message.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["seed", "sft.adapter", "tasks.qi.train_on"]


@pytest.mark.parametrize(
    ("chooser", "name", "first"),
    [
        ("translate.backend", "openai", "    base_url: http://localhost:8000/v1"),
        ("prepare.source", "esci", "    version: large # or small: the harder queries alone"),
        ("score.backend", "ray", "    address: local # a cluster of this machine alone"),
    ],
)
def test_a_choice_without_its_section_is_one_error_with_the_section_and_the_command(
    params: Path, overlays: Path, chooser: str, name: str, first: str
) -> None:
    stage = chooser.partition(".")[0]
    _set(params, "tasks.qc", REMOVED)  # esci has no categories
    _set(params, chooser, name)
    with pytest.raises(InputError) as raised:
        check(params)
    head, *ready = raised.value.message.splitlines()
    assert head.startswith(f"{params}: {stage}.{name}: missing section; add it by `babelshelf profile {stage}.{name}`")
    assert ready[0] == f"  {name}:"
    assert ready[1].startswith(first)
    pasted = YAML(typ="safe").load("\n".join([f"{stage}:", *ready]))
    values = read(params)
    values[stage] |= pasted[stage]
    YAML().dump(values, params)
    check(params)
    _set(params, f"{stage}.{name}", REMOVED)
    profile.choose(f"{stage}.{name}", params)
    assert read(params)[stage][name] == pasted[stage][name]


def test_a_missing_key_of_a_choices_section_is_answered_with_its_usual_value(params: Path, overlays: Path) -> None:
    profile.choose("distill.cross_encoder", params)
    _set(params, "distill.cross_encoder.loss", REMOVED)
    with pytest.raises(InputError, match=r"distill\.cross_encoder\.loss: missing key; its usual value is bce$"):
        check(params)


def test_an_unknown_choice_is_answered_with_all_that_there_are(params: Path) -> None:
    _set(params, "translate.backend", "google")
    with pytest.raises(InputError) as raised:
        check(params)
    head, *lines = raised.value.message.splitlines()
    assert head == f"{params}: translate.backend: no backend 'google'; there are"
    assert [line.split()[0] for line in lines] == ["lexicon", "openai", "transformers", "vllm"]
    assert all(len(line.split()) > 3 for line in lines)


def test_a_section_that_is_not_chosen_is_validated_too(params: Path) -> None:
    _set(params, "translate.openai", BACKENDS.defaults("openai") | {"api": "soap"})
    with pytest.raises(InputError, match=r"translate\.openai\.api: Input should be 'chat' or 'completions'"):
        check(params)


@pytest.mark.parametrize(
    ("old", "value", "removed", "new"),
    [
        ("train", None, "sft", "sft"),
        ("tasks.qi.train", None, "tasks.qi.sft", "tasks.qi.sft"),
        ("tasks.qc.mine_negatives.window", [1, 12], "tasks.qc.mine_negatives.rank_window", None),
        ("base_model.lm.nano.template", "short", "base_model.template", "base_model.template"),
        ("score.row_tokens", 64, "score.transformers.row_tokens", "score.transformers.row_tokens"),
        ("score.precision", "fp32", "score.transformers.precision", "score.transformers.precision"),
    ],
)
def test_an_old_name_is_answered_with_its_new_one_in_one_line(
    params: Path, old: str, value: object, removed: str, new: str | None
) -> None:
    current: Any = read(params)
    for key in removed.split("."):
        current = current[key]
    _set(params, removed, REMOVED)
    _set(params, old, current if value is None else value)
    with pytest.raises(InputError) as raised:
        check(params)
    assert raised.value.message == f"{params}: {old}: renamed, write {new or removed}"


def test_each_new_name_is_a_param(params: Path) -> None:
    """A name in the table that is no param itself would send the user astray."""
    tables = YAML(typ="safe").load(renamed.TABLE)["params"]
    values = read(params)
    values["prepare"] |= {"files": SOURCES.defaults("files")}
    values["translate"] |= {name: BACKENDS.defaults(name) for name in ("transformers", "vllm")}
    for new in tables.values():
        keys = new.format(backend="transformers").split(".")
        found: list[Any] = [values]
        for key in keys:
            found = [item[one] for item in found if isinstance(item, dict) for one in item if key in ("*", one)]
        assert found, new


def test_a_task_may_be_left_out(params: Path) -> None:
    _set(params, "tasks.qi", REMOVED)
    check(params)


def test_a_source_without_a_task_is_refused_before_any_work(params: Path) -> None:
    _set(params, "prepare.source", "taxonomy")
    _set(params, "prepare.taxonomy", SOURCES.defaults("taxonomy"))
    with pytest.raises(InputError, match=r"tasks\.qi: the source 'taxonomy' has no such task, only qc"):
        check(params)


def test_a_key_that_is_there_twice_is_refused(params: Path) -> None:
    params.write_text(params.read_text(encoding="utf-8") + "\nseed: 2\n", encoding="utf-8")
    with pytest.raises(InputError, match="not valid YAML"):
        check(params)


def test_a_batch_that_no_number_of_processes_can_cut_is_refused(params: Path) -> None:
    _set(params, "tasks.qi.sft.batch_size", 100)
    with pytest.raises(InputError, match=r"tasks\.qi\.sft\.batch_size: .*multiple of micro_batch_size, 64"):
        check(params)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: no such file"):
        check(tmp_path / "none.yaml")


def test_load_joins_a_section_with_its_part_of_the_task(params: Path) -> None:
    _set(params, "tasks.qi.sft.batch_size", 192)
    assert load(SftParams, "sft", "qi", params).batch_size == 192
    assert load(SftParams, "sft", "qc", params).batch_size == read(params)["tasks"]["qc"]["sft"]["batch_size"]
    assert load_seed(params) == read(params)["seed"]
    with pytest.raises(InputError, match=r"tasks\.qx: missing; the tasks are qc, qi"):
        load(SftParams, "sft", "qx", params)


def test_a_profile_changes_only_the_lines_of_its_keys(params: Path, overlays: Path) -> None:
    (overlays / "other.yaml").write_text(
        "seed: 7\ntasks: {qc: {calibrate: {threshold: 0.4}}}\ntranslate: {languages: [de, it]}\n", encoding="utf-8"
    )
    before = params.read_text(encoding="utf-8").splitlines()
    languages = read(params)["translate"]["languages"]
    changes = profile.apply("other", params, overlays)
    after = params.read_text(encoding="utf-8").splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert [line.split(":")[0].strip() for line in changed] == ["seed", "calibrate", "languages"]
    assert [change.path for change in changes] == ["seed", "tasks.qc.calibrate.threshold", "translate.languages"]
    assert changes[2].new == '["de", "it"]'
    assert [line.partition("#")[2] for line in before] == [line.partition("#")[2] for line in after]
    assert read(params)["translate"]["languages"] == ["de", "it"] != languages
    assert profile.apply("other", params, overlays) == []


def test_null_deletes_and_nano_restores(params: Path, overlays: Path) -> None:
    shutil.copy(NANO, overlays / "nano.yaml")
    (overlays / "qc.yaml").write_text("tasks: {qi: null, qc: {train_on: original}}\n", encoding="utf-8")
    profile.apply("qc", params, overlays)
    assert list(read(params)["tasks"]) == ["qc"]
    assert {change.path for change in profile.apply("nano", params, overlays)} == {"tasks.qi", "tasks.qc.train_on"}
    assert read(params) == read(NANO)


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        ("tasks: {qc: {trained_on: original}}", r"params.yaml with .*wrong.yaml: tasks\.qc\.trained_on: unknown key"),
        ("training: {adapter: lora}", r"params.yaml with .*wrong.yaml: training: unknown section"),
        ("sft: {adapter: null}", r"sft\.adapter: missing key"),
        ("sft: [", r"wrong.yaml: not valid YAML"),
        ("- sft", r"wrong.yaml: expected a mapping"),
    ],
)
def test_a_wrong_profile_leaves_params_as_they_were(params: Path, overlays: Path, overlay: str, expected: str) -> None:
    (overlays / "wrong.yaml").write_text(overlay, encoding="utf-8")
    before = params.read_bytes()
    with pytest.raises(InputError, match=expected):
        profile.apply("wrong", params, overlays)
    assert params.read_bytes() == before
    assert sorted(file.name for file in params.parent.iterdir()) == ["params.yaml", "profiles"]


def test_an_unknown_profile_is_refused_with_those_there_are(params: Path, overlays: Path) -> None:
    (overlays / "nano.yaml").write_text("seed: 1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"no profile 'nanno'; there are nano"):
        profile.apply("nanno", params, overlays)
