"""The pipeline end to end, in copies of the repository on a one-minute setting: what runs, when, and after a kill.

One session-wide copy is built from nothing; each test that changes something takes a copy of that one, with its DVC
cache. DVC's run cache is off everywhere: it would restore what these tests want to see run.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from babelshelf import tables
from babelshelf.files import read_json
from tests.workspace import Workspace

pytestmark = pytest.mark.pipeline

RECIPE = {  # what tests/fixtures/tiny.yaml needs, and nothing else
    "prepare",
    "base_model",
    *("translate@qc", "mine_negatives@qc", "train@negatives-qc", "score_train@qc", "filter@qc", "train@filtered-qc"),
    *("score@qc", "calibrate@qc", "evaluate@qc"),
    *("translate@qi", "mine_negatives@qi", "train@negatives-qi", "score@qi", "calibrate@qi", "evaluate@qi"),
    "summarize",
}
AFTER_MINING_QI = {"mine_negatives@qi", "train@negatives-qi", "score@qi", "calibrate@qi", "evaluate@qi", "summarize"}
AFTER_TRAINING_QC = {"train@negatives-qc", "score_train@qc", "filter@qc", "train@filtered-qc", "score@qc"}


@pytest.fixture
def workspace(built: Workspace, tmp_path: Path) -> Workspace:
    """A built copy to change."""
    return built.copy(tmp_path / "repository")


# --- from nothing ---


def test_the_first_run_runs_what_the_recipe_needs(first_run: tuple[Workspace, list[str]]) -> None:
    workspace, ran = first_run
    assert sorted(ran) == sorted(RECIPE)
    assert workspace.lock().keys() == RECIPE
    assert [out for stage in sorted(RECIPE) for out in workspace.outs(stage) if not out.exists()] == []


def test_metrics_are_sane(built: Workspace) -> None:
    summary = read_json(built.folder / "metrics" / "summarize.json")
    assert summary["tasks"].keys() == {"qc", "qi"}
    f1 = [task["f1"] for task in summary["tasks"].values()]
    assert summary["f1_average"] == pytest.approx(sum(f1) / 2, abs=1e-5)
    for task in summary["tasks"].values():
        assert 0 < task["f1_low"] <= task["f1"] <= task["f1_high"] <= 1
        assert 0 < task["threshold"] < 1


@pytest.mark.parametrize("task", ["qc", "qi"])
def test_no_held_out_query_is_in_any_training_set(built: Workspace, task: str) -> None:
    data = built.folder / "data"
    held_out = pl.concat(tables.read_rows(data / "original" / task / f"{split}.parquet") for split in ("dev", "test"))
    variants = sorted(data.glob(f"*/{task}/train.parquet"))
    assert {"original", "translated", "negatives"} <= {file.parts[-3] for file in variants}
    for file in variants:
        rows = tables.read_rows(file)
        tables.check_rows(rows, str(file))
        for column in ("group", "query"):
            assert set(rows[column]) & set(held_out[column]) == set(), file


@pytest.mark.parametrize("task", ["qc", "qi"])
def test_every_variant_holds_the_one_that_it_was_made_from(built: Workspace, task: str) -> None:
    data = built.folder / "data"
    rows = {
        name: tables.read_rows(data / name / task / "train.parquet") for name in ("original", "translated", "negatives")
    }
    for made, before in (("translated", "original"), ("negatives", "translated")):
        assert rows[made].height > rows[before].height
        assert rows[before].join(rows[made], on=rows[before].columns, how="anti", nulls_equal=True).is_empty()


def test_a_second_run_from_nothing_measures_the_same_bytes(built: Workspace, workspace: Workspace) -> None:
    shutil.rmtree(workspace.folder / ".cache", ignore_errors=True)
    assert sorted(workspace.repro("--force", "summarize")) == sorted(RECIPE)
    assert workspace.metrics() == built.metrics()
    assert workspace.lock() == built.lock()


# --- what a change reruns ---


def test_without_a_change_nothing_runs(workspace: Workspace) -> None:
    assert workspace.repro("summarize") == []


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        ("tasks: {qc: {calibrate: {threshold: 0.123}}}", {"calibrate@qc", "evaluate@qc", "summarize"}),
        ("tasks: {qi: {mine_negatives: {window: [3, 20]}}}", AFTER_MINING_QI),
        ("prepare: {taxonomy: {rows_train: 11}}", {"prepare"}),  # of a source that is not in use: the same data again
    ],
    ids=["threshold", "window", "unused"],
)
def test_a_changed_param_reruns_what_follows_it(workspace: Workspace, overlay: str, expected: set[str]) -> None:
    workspace.set_params(overlay)
    ran = workspace.repro("summarize")
    assert len(ran) == len(set(ran))
    assert set(ran) == expected


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("babelshelf/filtering.py", {"filter@qc"}),
        ("babelshelf/calibration.py", {"calibrate@qc", "calibrate@qi"}),
        ("babelshelf/translators/lexicon.py", {"translate@qc", "translate@qi"}),
        ("babelshelf/negatives.py", {"mine_negatives@qc", "mine_negatives@qi"}),
        ("babelshelf/sources/demo/__init__.py", {"prepare"}),
    ],
)
def test_a_comment_in_a_module_reruns_its_users_and_nothing_beyond(
    workspace: Workspace, module: str, expected: set[str]
) -> None:
    workspace.append(module, "# a comment\n")
    assert set(workspace.repro("summarize")) == expected


# --- kill -9 ---


def _work_done(cache: Path) -> int:
    """Pieces of finished work that a stage has put into `.cache`: rows of its tables, checkpoints, other files."""
    files = [file for file in cache.rglob("*") if file.is_file()]
    stored = [_rows(file) for file in files if file.suffix == ".sqlite"]
    checkpoints = [file for file in files if file.name == "trainer_state.json"]  # the last that the trainer writes
    parts = [file for file in files if file.suffix in {".parquet", ".npy", ".jsonl"}]
    return sum(stored) + len(checkpoints) + len(parts)


def _rows(file: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM work").fetchone()[0])
    except sqlite3.OperationalError:  # being made just now
        return 0


def _kill_in_the_middle(workspace: Workspace, stage: str) -> None:
    process = workspace.start("--single-item", stage)
    while process.poll() is None and not _work_done(workspace.folder / ".cache"):
        time.sleep(0.005)
    assert process.poll() is None, f"{stage} ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("stage", ["translate@qc", "train@negatives-qc", "score@qc"])
def test_a_killed_stage_goes_on_and_ends_as_if_undisturbed(built: Workspace, workspace: Workspace, stage: str) -> None:
    shutil.rmtree(workspace.folder / ".cache", ignore_errors=True)
    outs = workspace.outs(stage)
    workspace.forget(stage)
    _kill_in_the_middle(workspace, stage)
    assert not all(out.exists() for out in outs), f"{stage} was through before it was killed"
    assert _work_done(workspace.folder / ".cache") > 0
    assert workspace.repro("summarize") == [stage]
    assert workspace.lock() == built.lock()
    assert workspace.metrics() == built.metrics()


# --- the other method ---


def test_dpo_goes_on_from_the_fine_tuned_model_and_nothing_is_trained_twice(
    built: Workspace, workspace: Workspace
) -> None:
    workspace.set_params("tasks: {qi: {method: dpo}}")
    ran = workspace.repro("summarize")
    assert sorted(ran) == sorted(["dpo@negatives-qi", "score@qi", "calibrate@qi", "evaluate@qi", "summarize"])
    dpo, sft = (workspace.folder / "models" / method / "negatives" / "qi" for method in ("dpo", "sft"))
    assert sorted(file.name for file in dpo.iterdir()) == sorted(file.name for file in sft.iterdir())
    before, after = (
        tables.read_table(one.folder / "data" / "predictions" / "test" / "qi" / "test.parquet")
        for one in (built, workspace)
    )
    assert not before["p_yes"].equals(after["p_yes"])


# --- the other adapter ---


def test_lora_end_to_end(built: Workspace, workspace: Workspace) -> None:
    workspace.set_params("train: {adapter: lora}")
    assert set(workspace.repro("evaluate@qc")) == {*AFTER_TRAINING_QC, "calibrate@qc", "evaluate@qc"}
    model = Path("models", "sft", "filtered", "qc")
    assert (workspace.folder / model / "adapter_config.json").is_file()
    assert not (built.folder / model / "adapter_config.json").is_file()
    before = tables.read_table(built.folder / "data" / "predictions" / "test" / "qc" / "test.parquet")
    after = tables.read_table(workspace.folder / "data" / "predictions" / "test" / "qc" / "test.parquet")
    assert before["id"].equals(after["id"])
    assert not before.equals(after)


# --- bad input ---


def _without_a_table(workspace: Workspace) -> None:
    (workspace.folder / "data" / "demo" / "brands.tsv").unlink()


def _bad_line(workspace: Workspace) -> None:
    workspace.append("data/demo/brands.tsv", "one\ttoo\tmany\tcells\tin\tthis\tline\n")


LEAK = """
import dataclasses

_read_without_leak = read


def read(*arguments):
    marketplace = _read_without_leak(*arguments)
    qc = marketplace.tasks["qc"]
    leaked = qc.test.filter(pl.col("language") == "en").head(1).with_columns(id=pl.lit("leaked"), group=pl.lit("other"))
    leaked = leaked.with_columns(candidate=pl.lit(qc.train["candidate"][0]))
    tasks = marketplace.tasks | {"qc": dataclasses.replace(qc, train=pl.concat([qc.train, leaked]))}
    return dataclasses.replace(marketplace, tasks=tasks)
"""


def _leaked_query(workspace: Workspace) -> None:
    workspace.append("babelshelf/sources/demo/__init__.py", LEAK)


def _unknown_source(workspace: Workspace) -> None:
    source = workspace.folder / "babelshelf" / "sources"
    shutil.copytree(source / "demo", source / "bazaar")  # DVC itself refuses a source whose package is not there
    workspace.set_params("prepare: {source: bazaar}")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_without_a_table, "brands.tsv"),
        (_bad_line, "brands.tsv"),
        (_leaked_query, "whose query is also in train (a train/test leak)"),
        (_unknown_source, "prepare.source"),
    ],
)
def test_bad_input_is_one_clear_error(
    unbuilt: Workspace, tmp_path: Path, spoil: Callable[[Workspace], None], expected: str
) -> None:
    workspace = unbuilt.copy(tmp_path / "repository")
    spoil(workspace)
    output = workspace.failing("summarize")
    errors = [line for line in output.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, output
    assert expected in errors[0]
    assert "Traceback" not in output
    assert not (workspace.folder / "data" / "original").exists()
