"""ladder.yaml: what its rows may say, and the experiments that they ask for."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from babelshelf.commands import profile
from babelshelf.commands.ladder.dvc_commands import failure
from babelshelf.commands.ladder.rows import experiments, in_percent, read_ladder, select, with_values
from babelshelf.core.errors import InputError
from babelshelf.core.params import read
from tests.helpers.profiles import NANO

ROWS = """
rows:
  - name: sft
    title: base
    tasks: [qc, qi]
    set: {tasks.qc.train_on: original, tasks.qi.train_on: original}
    seeds: [1]
  - name: translation
    title: + translation
    tasks: [qc, qi]
    after: sft
    set: {tasks.qc.train_on: translated, tasks.qi.train_on: translated}
    published: {qc: 88.34}
    seeds: [1, 2]
  - name: filter
    title: + filter
    tasks: [qi]
    after: {qi: translation}
    set: {tasks.qi.train_on: filtered}
    seeds: [1]
"""


@pytest.fixture
def params() -> dict[str, Any]:
    return read(NANO)


def _ladder(folder: Path, text: str = ROWS, **changes: object) -> Path:
    """ladder.yaml in `folder`; `changes` are put into its second row, None takes a key away."""
    values = YAML(typ="safe").load(text)
    values["rows"][1] = {key: value for key, value in (values["rows"][1] | changes).items() if value is not None}
    file = folder / "ladder.yaml"
    YAML().dump(values, file)
    return file


@pytest.mark.parametrize("name", ["classifier", "filter"])
def test_the_ladders_of_the_classifier_are_valid(root: Path, params: dict[str, Any], name: str) -> None:
    rows = read_ladder(params, root / "profiles" / "ladder" / f"{name}.yaml")
    assert {row.set["tasks.qi.method"] for row in rows} == {"classifier"}


def test_the_rows_in_the_docs_are_valid_beside_judges(root: Path, tmp_path: Path) -> None:
    params = Path(shutil.copy(NANO, tmp_path / "params.yaml"))
    profile.apply("judges", params, root / "profiles")
    text = (root / "docs" / "ladder.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(rows:.*?)```", text, re.DOTALL)
    (tmp_path / "ladder.yaml").write_text(example, encoding="utf-8")
    rows = {row.name: row for row in read_ladder(read(params), tmp_path / "ladder.yaml")}
    values = {name: with_values(read(params), row.set)["tasks"]["qi"] for name, row in rows.items()}
    found = {name: (own["filter"]["judges"]["contradicted"], own["filter_method"]) for name, own in values.items()}
    assert found == {
        "labels-all": ("relabel", "classifier"),
        "labels-relabelled": ("relabel", "classifier"),
        "labels-dropped": ("drop", "classifier"),
        "labels-lm": ("relabel", "sft"),
    }


def test_the_shipped_ladder_is_valid_and_has_the_published_rows(root: Path, params: dict[str, Any]) -> None:
    rows = {row.name: row for row in read_ladder(params, root / "ladder.yaml")}
    published = {
        "qc": [87.33, 87.65, 87.60, 88.34, 88.85, 88.73, 89.19],  # arXiv 2510.21671, Table 2, in its order
        "qi": [85.37, 86.62, 87.38, 87.99, 88.39],
    }
    for task, expected in published.items():
        assert [row.published[task] for row in rows.values() if task in row.published] == expected
    assert rows["negatives-threshold"].after == {"qc": "negatives"}
    fixed = {name for name, row in rows.items() if row.set["tasks.qc.calibrate.threshold"] == 0.5}
    assert {name for name in rows if "qc" in rows[name].published and not name.endswith("threshold")} <= fixed


def test_all_shipped_rows_set_the_same_params(root: Path, params: dict[str, Any]) -> None:
    """What one row sets and another leaves out would follow params.yaml, so that more than a step would differ."""
    rows = read_ladder(params, root / "ladder.yaml")
    named = {row.name: {path for path in row.set if not path.endswith(".sft.steps")} for row in rows}
    assert all(paths == named["baseline"] for paths in named.values())
    assert [row.name for row in rows if "tasks.qc.sft.steps" in row.set] == ["zero-shot"]


def test_shipped_rows_mean_the_same_where_params_have_a_threshold_per_language(
    root: Path, params: dict[str, Any]
) -> None:
    """A threshold per language is also refused where a row fixes the threshold."""
    params["calibrate"]["method"] = "logistic"
    for row in read_ladder(params, root / "ladder.yaml"):
        assert with_values(params, row.set)["calibrate"]["method"] == "shared"


def test_experiments_are_rows_times_seeds_in_order(tmp_path: Path, params: dict[str, Any]) -> None:
    rows = read_ladder(params, _ladder(tmp_path))
    made = experiments(rows, default_seed=1)
    assert [made_one.name for made_one in made] == ["sft", "translation", "translation-seed2", "filter"]
    assert made[2].params == {"seed": 2, "tasks.qc.train_on": "translated", "tasks.qi.train_on": "translated"}
    assert [one.name for one in experiments(rows[:1], 3, [1, 3])] == ["sft-seed1", "sft"]


def test_after_is_by_task_also_where_one_name_is_given(tmp_path: Path, params: dict[str, Any]) -> None:
    rows = read_ladder(params, _ladder(tmp_path))
    assert [row.after for row in rows] == [{}, {"qc": "sft", "qi": "sft"}, {"qi": "translation"}]


def test_select_keeps_the_order_of_the_ladder(tmp_path: Path, params: dict[str, Any]) -> None:
    rows = read_ladder(params, _ladder(tmp_path))
    assert [row.name for row in select(rows, ["filter", "sft"])] == ["sft", "filter"]
    assert select(rows, []) == rows
    with pytest.raises(InputError, match="no row 'sfd'; there are sft, translation, filter"):
        select(rows, ["sfd"])


def test_a_task_that_params_do_not_have_is_left_out(tmp_path: Path, params: dict[str, Any]) -> None:
    del params["tasks"]["qi"]
    rows = read_ladder(params, _ladder(tmp_path))
    assert [(row.name, row.tasks) for row in rows] == [("sft", ["qc"]), ("translation", ["qc"])]
    assert rows[1].set == {"tasks.qc.train_on": "translated"}
    assert rows[1].after == {"qc": "sft"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "row 'translation': colour: unknown key; remove it"),
        ({"title": None}, "row 'translation': title: missing key"),
        ({"name": "with space"}, "row 'with space': name: expected letters and digits"),
        ({"name": "sft"}, "row 'sft': name: an earlier row has it"),
        ({"name": "sft-seed12"}, "row 'sft-seed12': name: a name must not end in -seed12"),
        ({"seeds": []}, "row 'translation': seeds: "),
        ({"seeds": [1, 1]}, "seeds: each value may be given once"),
        ({"tasks": ["qx"]}, "tasks: there is no task 'qx', only qc, qi"),
        ({"published": {"qx": 1.0}}, "published: 'qx' is not among the row's tasks"),
        ({"published": {"qc": 101}}, "row 'translation': published.qc: "),
        ({"after": "filter"}, "row 'translation': after.qc: expected an earlier row of qc: sft; found 'filter'"),
        ({"after": "translation"}, "row 'translation': after.qi: expected an earlier row of qi: sft"),
        ({"after": {"qc": "nowhere"}}, "after.qc: expected an earlier row of qc: sft; found 'nowhere'"),
        ({"set": {"tasks.qc.trian_on": "x"}}, "set.tasks.qc.trian_on: params.yaml has no such param; tasks.qc has "),
        ({"set": {"tasks.qc.sft": {}}}, "set.tasks.qc.sft: is a section of params.yaml; set its keys one by one"),
        ({"set": {"seed": 2}}, "set.seed: give the seeds of a row as `seeds`"),
        ({"set": {"tasks.qc.train_on": "translatd"}}, "row 'translation': set: tasks.qc.train_on: "),
        ({"set": {"base_model.lm.nano.layers": 0}}, "row 'translation': set: base_model.lm.nano.layers: "),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_row_and_key(
    tmp_path: Path, params: dict[str, Any], changes: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError) as raised:
        read_ladder(params, _ladder(tmp_path, **changes))
    assert message in raised.value.message
    assert all(line.startswith(f"{tmp_path / 'ladder.yaml'}: ") for line in raised.value.message.splitlines())


def test_with_values_leaves_the_params_as_they_were(params: dict[str, Any]) -> None:
    before = params["tasks"]["qc"]["calibrate"]["threshold"]
    changed = with_values(params, {"tasks.qc.calibrate.threshold": 0.125, "tasks.qi.train_on": "original"})
    assert changed["tasks"]["qc"]["calibrate"]["threshold"] == 0.125
    assert changed["tasks"]["qc"]["sft"] == params["tasks"]["qc"]["sft"]
    assert params["tasks"]["qc"]["calibrate"]["threshold"] == before


def test_values_are_shown_with_their_deviation() -> None:
    # (2 + 4) / 2 = 3, and a sample's standard deviation of two values is their distance over the root of two
    assert (in_percent([0.02, 0.04]), in_percent([0.5]), in_percent([])) == ("3.0 ± 1.4", "50.0", "–")


def test_the_reason_of_a_failure_is_the_stage_and_its_own_error() -> None:
    output = "Stage 'prepare' didn't change, skipping\nRunning stage 'sft@original-qc':\n> python -m stages.sft\n"
    own = "a bar 10%\nError: params.yaml: wrong\nERROR: failed to reproduce 'sft@original-qc'\n"
    assert failure(output + own) == "sft@original-qc: params.yaml: wrong"
    traceback = "Traceback\n  File x\n    call()\nValueError: no\nERROR: failed to reproduce 'sft@original-qc'\n"
    expected = "sft@original-qc:   File x\n    call()\nValueError: no\nERROR: failed to reproduce 'sft@original-qc'"
    assert failure(output + traceback) == expected
    assert failure("ERROR: missing data 'source': here\n") == "dvc: ERROR: missing data 'source': here"
