"""The pipeline end to end, in copies of the repository on a tiny setting: what runs, when, and after a kill.

One copy is built from nothing for all tests; each test that changes something takes a copy of that one, with its DVC
cache. DVC's run cache is off everywhere: it would restore what these tests want to see run. A run costs mostly the
imports of its stages, so one run shows the effects of several changes at once where they do not meet.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from babelshelf.core.files import read_json
from babelshelf.core.params import read
from babelshelf.core.rows import check_rows, read_rows, read_table
from babelshelf.prepare.params import PrepareParams
from babelshelf.tables.predictions import read_predictions
from tests.conftest import FirstRun
from tests.helpers import esci_folder, tiny_encoder, tiny_lm
from tests.helpers.cikm2025_folder import write_folder
from tests.helpers.workspace import MINUTES, Workspace, stages_run

pytestmark = pytest.mark.pipeline

RECIPE = {  # what tests/fixtures/tiny.yaml needs, and nothing else
    "prepare",
    *("base_model@lm", "base_model@embedder"),
    *("translate@qc", "mine_negatives@qc", "sft@negatives-qc", "score_train@qc", "filter@qc", "sft@filtered-qc"),
    *("score@qc", "calibrate@qc", "evaluate@qc"),
    *("translate@qi", "mine_negatives@qi", "sft@negatives-qi", "score@qi", "calibrate@qi", "evaluate@qi"),
    "summarize",
}
AFTER_MINING_QI = {"mine_negatives@qi", "sft@negatives-qi", "score@qi", "calibrate@qi", "evaluate@qi", "summarize"}
AFTER_TRAINING_QC = {"sft@negatives-qc", "score_train@qc", "filter@qc", "sft@filtered-qc", "score@qc"}


@pytest.fixture
def workspace(built: Workspace, tmp_path: Path) -> Workspace:
    """A built copy to change."""
    return built.copy(tmp_path / "repository")


# --- from nothing ---


def test_the_first_run_runs_what_the_recipe_needs(first_run: FirstRun) -> None:
    workspace = first_run.workspace
    assert sorted(stages_run(first_run.output)) == sorted(RECIPE)
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
    held_out = pl.concat(read_rows(data / "original" / task / f"{split}.parquet") for split in ("dev", "test"))
    variants = sorted(data.glob(f"*/{task}/train.parquet"))
    assert {"original", "translated", "negatives"} <= {file.parts[-3] for file in variants}
    for file in variants:
        rows = read_rows(file)
        check_rows(rows, str(file))
        for column in ("group", "query"):
            assert set(rows[column]) & set(held_out[column]) == set(), file


@pytest.mark.parametrize("task", ["qc", "qi"])
def test_every_variant_holds_the_one_that_it_was_made_from(built: Workspace, task: str) -> None:
    data = built.folder / "data"
    rows = {name: read_rows(data / name / task / "train.parquet") for name in ("original", "translated", "negatives")}
    for made, before in (("translated", "original"), ("negatives", "translated")):
        assert rows[made].height > rows[before].height
        assert rows[before].join(rows[made], on=rows[before].columns, how="anti", nulls_equal=True).is_empty()


@pytest.mark.parametrize("task", ["qc"])
def test_the_filters_scores_are_of_the_model_that_was_trained_on_what_it_filters(built: Workspace, task: str) -> None:
    variant = read(built.folder / "params.yaml")["tasks"][task]["filter_on"]
    rows = read_rows(built.folder / "data" / variant / task / "train.parquet")
    scores = read_table(built.folder / "data" / "predictions" / "train" / task / "scores.parquet")
    assert scores["id"].equals(rows["id"])
    models = built.folder / "models"
    settings = tiny_lm.score_params()
    some = rows.head(50)
    own = tiny_lm.scored(models / "base" / "lm", models / "sft" / variant / task, settings, some)
    assert scores["p_yes"].head(50).to_numpy() == pytest.approx(own, abs=1e-4)
    other = tiny_lm.scored(models / "base" / "lm", models / "sft" / "filtered" / task, settings, some)
    assert scores["p_yes"].head(50).to_numpy() != pytest.approx(other, abs=1e-4)


def test_predictions_say_their_split(built: Workspace) -> None:
    for split in ("dev", "test"):
        predictions = read_predictions(
            built.folder / "data" / "predictions" / "held_out" / "qc" / f"{split}.parquet", split
        )
        assert predictions["id"].equals(read_rows(built.folder / "data/original/qc" / f"{split}.parquet")["id"])


@pytest.mark.ci
@pytest.mark.slow
def test_a_run_from_empty_caches_measures_the_same_bytes_whatever_threads_the_environment_asks_for(
    unbuilt: Workspace, built: Workspace, tmp_path: Path
) -> None:
    """The param `threads` decides; `built` was made with two threads in the environment."""
    workspace = unbuilt.copy(tmp_path / "repository")
    workspace.environment |= {"OMP_NUM_THREADS": "1"}
    assert built.environment["OMP_NUM_THREADS"] == "2"
    assert sorted(workspace.repro("summarize")) == sorted(RECIPE)
    assert workspace.metrics() == built.metrics()
    assert workspace.lock() == built.lock()


# --- what a change reruns ---


def test_without_a_change_nothing_runs(workspace: Workspace) -> None:
    assert workspace.repro("summarize") == []


# The section of a source that is not in use: the same data again.
CHANGES = f"""
prepare: {{taxonomy: {json.dumps(PrepareParams.plugins.defaults("taxonomy"))}}}
tasks:
  qc: {{calibrate: {{threshold: 0.123}}}}
  qi: {{method: dpo, mine_negatives: {{rank_window: [3, 20]}}}}
"""


@pytest.mark.ci
@pytest.mark.slow
def test_changed_params_rerun_what_follows_them_and_dpo_goes_on_from_the_fine_tuned_model(
    built: Workspace, workspace: Workspace
) -> None:
    workspace.set_params(CHANGES)
    ran = workspace.repro("summarize")
    assert len(ran) == len(set(ran))
    of_qc = {"calibrate@qc", "evaluate@qc"}
    assert set(ran) == {"prepare", *of_qc, *AFTER_MINING_QI, "dpo@negatives-qi"}
    assert ran.index("sft@negatives-qi") < ran.index("dpo@negatives-qi") < ran.index("score@qi")
    dpo, sft = (workspace.folder / "models" / method / "negatives" / "qi" for method in ("dpo", "sft"))
    assert sorted(file.name for file in dpo.iterdir()) == sorted(file.name for file in sft.iterdir())
    predictions = [
        read_table(one.folder / "data" / "predictions" / "held_out" / "qi" / "test.parquet")
        for one in (built, workspace)
    ]
    assert not predictions[0]["p_yes"].equals(predictions[1]["p_yes"])
    assert read_json(workspace.folder / "metrics" / "calibrate" / "qc.json")["threshold"] == 0.123


COMMENTED = {  # a module, and the stages whose results it may change
    "babelshelf/filter/self_validation.py": {"filter@qc"},
    "babelshelf/calibrate/thresholds.py": {"calibrate@qc", "calibrate@qi"},
    "babelshelf/translate/backends/lexicon.py": {"translate@qc", "translate@qi"},
    "babelshelf/mine_negatives/mining.py": {"mine_negatives@qc", "mine_negatives@qi"},
    "babelshelf/prepare/sources/demo/__init__.py": {"prepare"},
}


def test_a_comment_in_a_module_reruns_its_users_and_nothing_beyond(workspace: Workspace) -> None:
    for module in COMMENTED:
        workspace.append(module, "# a comment\n")
    ran = workspace.repro("summarize")
    assert sorted(ran) == sorted(stage for stages in COMMENTED.values() for stage in stages)


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


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.parametrize("stage", ["translate@qc", "sft@negatives-qc", "score@qc"])
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


# --- classifiers ---

OF_CLASSIFIERS = {
    *("classifier@negatives-qc", "score_train@qc", "filter@qc", "classifier@filtered-qc"),
    *("score@qc", "calibrate@qc", "evaluate@qc"),
}
OF_LMS = ("base_model@lm", "sft@negatives-qc", "sft@filtered-qc")


def test_a_recipe_of_classifiers_needs_no_lm(workspace: Workspace) -> None:
    for stage in OF_LMS:
        workspace.forget(stage)  # it would run, were anything of it needed
    workspace.set_params("tasks: {qc: {method: classifier, filter_method: classifier}}")
    assert set(workspace.repro("evaluate@qc")) == OF_CLASSIFIERS
    assert read_json(workspace.folder / "metrics" / "evaluate" / "qc.json")["all"]["f1"] > 0.6
    _scores_a_file_as_the_pipeline_did(workspace, "qc")


def _scores_a_file_as_the_pipeline_did(workspace: Workspace, task: str) -> None:
    held_out = read_table(workspace.folder / "data" / "predictions" / "held_out" / task / "test.parquet")
    pairs = held_out.select("id", "language", "query", "candidate", expected="p_yes")
    pairs.write_csv(workspace.folder / "pairs.csv")
    out = f"out-{task}.csv"
    command = ("-m", "babelshelf.cli", "score", "pairs.csv", out, "--task", task, "--keep", "expected")
    code, output = workspace.run(sys.executable, *command)
    assert code == 0, output
    scored = pl.read_csv(workspace.folder / out)
    assert scored["p_yes"].to_numpy() == pytest.approx(scored["expected"].to_numpy(), abs=1e-6)


# --- students ---


@pytest.mark.slow
def test_students_of_fine_tuned_models_end_to_end(workspace: Workspace) -> None:
    """Of both kinds; the teachers are there already, and are not trained again."""
    train = read_table(workspace.folder / "data" / "translated" / "qc" / "train.parquet")
    texts = [*train["query"], *train["candidate"]]
    tiny_encoder.save(workspace.folder / "encoder", texts)
    workspace.set_params("""
    tasks:
      qc: {method: distill}
      qi: {method: distill, distill: {ranks: [3, 10]}}
    distill:
      student: cross_encoder
      queries_per_language: 20
      cross_encoder: {model: ./encoder, max_length: 48, epochs: 1, learning_rate: 0.003}
    """)
    after = {f"{stage}@{task}" for stage in ("distill", "score", "calibrate", "evaluate") for task in ("qc", "qi")}
    assert set(workspace.repro("summarize")) == {*after, "summarize"}
    metrics = read_json(workspace.folder / "metrics" / "distill" / "qc.json")
    assert set(metrics["unlabelled"]) > {"en", "de"}  # German has no label
    _scores_a_file_as_the_pipeline_did(workspace, "qc")
    workspace.set_params("distill: {student: classifier}")
    assert set(workspace.repro("evaluate@qi")) == {name for name in after if name.endswith("qi")}
    _scores_a_file_as_the_pipeline_did(workspace, "qi")
    assert read_json(workspace.folder / "metrics" / "evaluate" / "qi.json")["all"]["average_precision"] > 0.5


# --- the other adapter ---


@pytest.mark.slow
def test_lora_end_to_end(built: Workspace, workspace: Workspace) -> None:
    workspace.set_params("sft: {adapter: lora}")
    assert set(workspace.repro("evaluate@qc")) == {*AFTER_TRAINING_QC, "calibrate@qc", "evaluate@qc"}
    model = Path("models", "sft", "filtered", "qc")
    assert (workspace.folder / model / "adapter_config.json").is_file()
    assert not (built.folder / model / "adapter_config.json").is_file()
    before = read_table(built.folder / "data" / "predictions" / "held_out" / "qc" / "test.parquet")
    after = read_table(workspace.folder / "data" / "predictions" / "held_out" / "qc" / "test.parquet")
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
    workspace.append("babelshelf/prepare/sources/demo/__init__.py", LEAK)


def _unknown_source(workspace: Workspace) -> None:
    workspace.set_params("prepare: {source: bazaar}")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(_without_a_table, "brands.tsv", marks=pytest.mark.slow),
        (_bad_line, "brands.tsv"),
        (_leaked_query, "whose query is also in train (a train/test leak)"),
        pytest.param(_unknown_source, "prepare.source", marks=pytest.mark.slow),
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


# --- the ladder ---

LADDER = """
rows:
  - name: broken
    title: fails in its first stage
    tasks: [qc]
    set: {translate.glossary: data/demo/brands.tsv}
    seeds: [1]
  - name: fixed
    title: qi on translated, fixed thresholds
    tasks: [qc, qi]
    set: &fixed {tasks.qi.train_on: translated, tasks.qc.calibrate.threshold: 0.5, tasks.qi.calibrate.threshold: 0.5}
    seeds: [1]
  - name: tuned
    title: tuned thresholds
    tasks: [qc, qi]
    after: fixed
    set: {<<: *fixed, tasks.qc.calibrate.threshold: tuned, tasks.qi.calibrate.threshold: tuned}
    seeds: [1]
"""
EXPERIMENTS = ("fixed", "tuned")


def _git(workspace: Workspace, *arguments: str) -> str:
    author = ("-c", "user.name=Test", "-c", "user.email=test@localhost")
    command = ["git", *author, *arguments]
    return subprocess.run(command, cwd=workspace.folder, check=True, capture_output=True, text=True).stdout


def _start_ladder(workspace: Workspace, *rows: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "babelshelf.cli", "ladder", *rows],
        cwd=workspace.folder,
        env={name: value for name, value in workspace.environment.items() if name != "PYTHONPATH"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


def _ladder(workspace: Workspace, *rows: str) -> tuple[int, str]:
    """Exit status and output of `babelshelf ladder`."""
    process = _start_ladder(workspace, *rows)
    output, _ = process.communicate(timeout=20 * MINUTES)
    return process.returncode, output


def _files(workspace: Workspace) -> dict[str, bytes]:
    """All but DVC's cache, the stages' partial work, and git's objects and experiments."""
    ignored = (".cache/", ".dvc/cache/", ".dvc/tmp/", ".git/objects/", ".git/refs/exps/")
    names = {file.relative_to(workspace.folder).as_posix(): file for file in workspace.folder.rglob("*")}
    kept = {name: file for name, file in names.items() if file.is_file() and not name.startswith(ignored)}
    return {name: file.read_bytes() for name, file in kept.items() if "__pycache__" not in name}


def _baseline(workspace: Workspace) -> str:
    """The part of a ref that stands for HEAD."""
    head = _git(workspace, "rev-parse", "HEAD").strip()
    return f"{head[:2]}/{head[2:]}"


def _trees(workspace: Workspace) -> dict[str, str]:
    """All that each experiment holds, as git names its content: the code, the params, dvc.lock, the metrics."""
    return {
        name: _git(workspace, "rev-parse", f"refs/exps/{_baseline(workspace)}/{name}^{{tree}}") for name in EXPERIMENTS
    }


@pytest.fixture(scope="session")
def climbed(built: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Workspace, int, str]:
    """A committed clone with changes, the same after `babelshelf ladder`, and its exit status and output."""
    before = built.copy(tmp_path_factory.mktemp("before") / "repository")
    (before.folder / "ladder.yaml").write_text(LADDER, encoding="utf-8")
    _git(before, "add", "--all")
    _git(before, "commit", "--quiet", "--message", "built")
    _git(before, "checkout", "--quiet", "--detach")
    before.append("README.md", "staged\n")
    _git(before, "add", "README.md")
    before.append("README.md", "not staged\n")
    (before.folder / "LICENSE").unlink()
    (before.folder / "notes.txt").write_text("untracked\n", encoding="utf-8")
    after = before.copy(tmp_path_factory.mktemp("after") / "repository")
    return before, after, *_ladder(after)


@pytest.mark.ci
@pytest.mark.slow
def test_a_failing_row_is_told_and_the_others_are_run(climbed: tuple[Workspace, Workspace, int, str]) -> None:
    _, after, status, output = climbed
    assert status == 1, output
    assert "Error: 1 of 3 experiments failed: broken" in output
    assert "[1/3] broken: failed: translate@q" in output
    assert "brands.tsv" in output
    assert "sft@translated-qi" in output
    log = (after.folder / ".cache" / "ladder" / "broken.log").read_text(encoding="utf-8")
    assert "brands.tsv" in log
    assert [file.name for file in (after.folder / ".cache" / "ladder").iterdir()] == ["broken.log"]
    for name in EXPERIMENTS:
        summary = _git(after, "show", f"refs/exps/{_baseline(after)}/{name}:metrics/summarize.json")
        assert '"f1_average"' in summary


@pytest.mark.ci
@pytest.mark.slow
def test_an_experiment_holds_the_users_changes_and_no_others_metrics(
    climbed: tuple[Workspace, Workspace, int, str],
) -> None:
    after = climbed[1]
    held = _git(after, "ls-tree", "-r", "--name-only", f"refs/exps/{_baseline(after)}/fixed").splitlines()
    assert {"metrics/sft/translated/qi.json", "metrics/filter/qc.json", "params.yaml", "dvc.lock"} <= set(held)
    assert {"metrics/sft/negatives/qi.json", "metrics/mine_negatives/qi.json", "LICENSE", "notes.txt"} & set(
        held
    ) == set()
    assert _git(after, "show", f"refs/exps/{_baseline(after)}/fixed:README.md").endswith("staged\nnot staged\n")


@pytest.mark.ci
@pytest.mark.slow
def test_the_ladder_changes_no_file_of_the_user(climbed: tuple[Workspace, Workspace, int, str]) -> None:
    before, after, _, _ = climbed
    assert _files(after) == _files(before)
    assert not (after.folder / ".dvc" / "tmp" / "ladder").exists()


@pytest.mark.ci
@pytest.mark.slow
def test_only_what_changed_is_run_again(climbed: tuple[Workspace, Workspace, int, str], tmp_path: Path) -> None:
    workspace = climbed[1].copy(tmp_path / "repository")
    workspace.append("README.md", "no stage reads this\n")
    status, output = _ladder(workspace, *EXPERIMENTS)
    assert (status, output.count(": up to date (")) == (0, 2), output
    workspace.append("babelshelf/calibrate/thresholds.py", "# a comment\n")
    status, output = _ladder(workspace, "tuned")
    assert status == 0, output
    ran = re.findall(r"^    (\S+)$", output, flags=re.MULTILINE)
    assert sorted(ran) == ["calibrate@qc", "calibrate@qi"]  # DVC may take either first


@pytest.mark.ci
@pytest.mark.slow
def test_two_jobs_make_the_same_experiments(climbed: tuple[Workspace, Workspace, int, str], tmp_path: Path) -> None:
    before, after, _, _ = climbed
    workspace = before.copy(tmp_path / "repository")
    status, output = _ladder(workspace, *EXPERIMENTS, "--jobs", "2")
    assert status == 0, output
    assert _trees(workspace) == _trees(after)
    assert len(re.findall(r"^    \S+: prepare$", output, flags=re.MULTILINE)) <= 1
    assert _files(workspace) == _files(before)


@pytest.mark.ci
@pytest.mark.slow
def test_a_killed_ladder_goes_on_to_the_same_numbers(
    climbed: tuple[Workspace, Workspace, int, str], tmp_path: Path
) -> None:
    before, after, _, _ = climbed
    workspace = before.copy(tmp_path / "repository")
    done = _work_done(workspace.folder / ".cache")
    process = _start_ladder(workspace, *EXPERIMENTS)
    while process.poll() is None and _work_done(workspace.folder / ".cache") <= done:
        time.sleep(0.005)
    assert process.poll() is None, "it ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert (workspace.folder / ".dvc" / "tmp" / "ladder").exists()
    assert _files(workspace) == _files(before)
    status, output = _ladder(workspace, *EXPERIMENTS)
    assert status == 0, output
    assert _trees(workspace) == _trees(after)
    assert _files(workspace) == _files(before)
    assert not (workspace.folder / ".dvc" / "tmp" / "ladder").exists()


# --- a user's own pairs ---


@pytest.mark.slow
def test_own_pairs_with_bad_rows_from_init_to_metrics(unbuilt: Workspace, tmp_path: Path) -> None:
    workspace = unbuilt.copy(tmp_path / "repository")
    goods = ["red shoes", "desk lamp", "phone case", "garden hose", "tea pot", "wool hat"]
    pairs = [
        f"{goods[n % 6]} {n // 12},Shop / {goods[n % 6 if n % 5 < 3 else n // 7 % 6]} {n % 4},{int(n % 5 < 3)},{lang}"
        for n, lang in zip(range(600), ["en", "pt-BR", "vn"] * 200, strict=True)
    ]
    bad = ["red shoes,Shop / red shoes 1,maybe,en", ",Shop / tea pot 1,1,en", "tea pot,Shop / tea pot 1,1,1,en"]
    folder = tmp_path / "my exports"  # a path with a space reaches the stage whole
    folder.mkdir()
    (folder / "pairs.csv").write_text("\n".join(["serach_term,catgory,ok,lang", *pairs, *bad]), encoding="utf-8")
    init = [sys.executable, "-m", "babelshelf.cli", "init", "--qc", str(folder / "pairs.csv"), "--column", "label=ok"]
    subprocess.run(init, cwd=workspace.folder, env=workspace.environment, check=True, timeout=MINUTES)
    assert set(workspace.repro("summarize")) == {
        *("prepare", "base_model@lm", "base_model@embedder", "mine_negatives@qc", "sft@negatives-qc"),
        *("score@qc", "calibrate@qc", "evaluate@qc", "summarize"),
    }
    metrics = workspace.folder / "metrics"
    left_out = read_json(metrics / "prepare.json")["left_out"]["qc"]
    assert left_out["bad"] == 3
    assert left_out["read"] == 603 == left_out["kept"] + sum(left_out["dropped"].values())
    assert pl.read_csv(workspace.folder / "data" / "original" / "dropped.csv").height == 3
    assert read_json(metrics / "summarize.json")["tasks"].keys() == {"qc"}
    assert workspace.repro("summarize") == []


# --- the data report ---


def test_the_data_report_is_made_when_asked_for(unbuilt: Workspace, tmp_path: Path) -> None:
    workspace = unbuilt.copy(tmp_path / "repository")
    assert workspace.repro("data_report") == ["prepare", "data_report"]
    assert workspace.repro("data_report") == []
    metrics = read_json(workspace.folder / "metrics" / "data_report.json")
    assert metrics["all"]["leaks"]["train_test"]["same"] == 0
    assert metrics["qi"]["languages"]["train"]["contradicted"] > 0
    assert (workspace.folder / "data" / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    tracked = workspace.git("status", "--short", "--untracked-files=all", "--", "data")
    assert "report.html" not in tracked.replace(".gitignore", "")


# --- the competition's folder ---

TRAINED_ON_ORIGINAL = "tasks: {qc: {train_on: original}, qi: {train_on: original}}"


@pytest.mark.slow
def test_the_competitions_folder_from_prepare_to_a_submission(unbuilt: Workspace, tmp_path: Path) -> None:
    workspace = unbuilt.copy(tmp_path / "repository")
    write_folder(workspace.folder / "data" / "cikm2025", 800, 60)
    workspace.set_params((workspace.folder / "profiles" / "cikm2025.yaml").read_text(encoding="utf-8"))
    workspace.set_params(TRAINED_ON_ORIGINAL)
    assert [stage for stage in workspace.repro("summarize") if stage.startswith("predict")] == []
    assert sorted(workspace.repro("predict@qc", "predict@qi")) == ["predict@qc", "predict@qi"]
    submit = [sys.executable, "-m", "babelshelf.cli", "submit"]
    subprocess.run(submit, cwd=workspace.folder, env=workspace.environment, check=True, timeout=MINUTES)
    for task in ("qc", "qi"):
        answered = read_table(workspace.folder / f"data/predictions/submission/{task}/predictions.parquet")
        threshold = read_json(workspace.folder / "metrics" / "calibrate" / f"{task}.json")["threshold"]
        expected = answered.select((pl.col("p_yes") >= threshold).fill_null(value=True)).to_series()
        assert answered["is_relevant"].to_list() == expected.to_list()
        assert answered["p_yes"].n_unique() > 20  # scored, and not all alike
    assert sorted(file.name for file in (workspace.folder / "submission").iterdir()) == [
        *("dev", "dev.zip", "test", "test.zip"),
    ]
    assert workspace.repro("predict@qc", "predict@qi") == []


def test_without_prediction_sets_nothing_is_predicted(workspace: Workspace) -> None:
    assert workspace.repro("predict@qi") == ["predict@qi"]
    assert read_table(workspace.folder / "data/predictions/submission/qi/predictions.parquet").is_empty()


# --- ESCI, and several sources ---


@pytest.mark.slow
def test_esci_from_prepare_to_metrics(unbuilt: Workspace, tmp_path: Path) -> None:
    workspace = unbuilt.copy(tmp_path / "repository")
    esci_folder.write_folder(workspace.folder / "data" / "esci", 120)
    workspace.set_params((workspace.folder / "profiles" / "esci.yaml").read_text(encoding="utf-8"))
    workspace.set_params("tasks: {qi: {train_on: original}}")
    assert "sft@original-qi" in workspace.repro("summarize")
    metrics = workspace.folder / "metrics"
    assert read_json(metrics / "evaluate" / "qi.json")["languages"].keys() == {"en", "es", "ja"}
    assert read_json(metrics / "summarize.json")["tasks"].keys() == {"qi"}
    assert workspace.repro("summarize") == []


@pytest.mark.slow
def test_prepare_runs_again_when_the_input_of_any_part_changes(unbuilt: Workspace, tmp_path: Path) -> None:
    workspace = unbuilt.copy(tmp_path / "repository")
    data = workspace.folder / "data"
    write_folder(data / "cikm2025", 800, 60)
    esci_folder.write_folder(data / "esci", 120)
    workspace.set_params((workspace.folder / "profiles" / "cikm2025-esci.yaml").read_text(encoding="utf-8"))
    assert workspace.repro("prepare") == ["prepare"]
    assert workspace.repro("prepare") == []
    esci_folder.write_folder(data / "esci", 100)
    assert workspace.repro("prepare") == ["prepare"]
    write_folder(data / "cikm2025", 700, 60)
    assert workspace.repro("prepare") == ["prepare"]
    parts = read_json(workspace.folder / "metrics" / "prepare.json")["parts"]
    assert (parts["cikm2025"]["qc"]["read"], parts["esci"]["qi"]["test"]["rows"]) == (700, 0)
