"""Several processes: the same weights as one, one that is killed goes on, and what can't work is said before it starts.

The processes are real: the stages run under `accelerate launch`, with two processes on CPUs (gloo).
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import ModuleType

import polars as pl
import psutil
import pytest
import torch
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_multi_gpu_env
from click.testing import CliRunner
from safetensors.torch import load_file

from babelshelf.core.errors import InputError
from babelshelf.core.partial_work import partial_work
from babelshelf.preflight import requirements
from babelshelf.trainer import distributed
from babelshelf.trainer.accelerate_config import accumulation
from stages import dpo, sft
from tests.helpers.several_processes import ACCELERATE, Project

# Sums in another order: some 2e-7 were found after 8 steps at a learning rate of 0.01, of weights up to 0.2.
TOLERANCE = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two tuned models, by one process and by two with two parts each; and of the latter's, two of DPO."""
    made = Project(tmp_path_factory.mktemp("several") / "project", {})
    for stage, configuration, out in [
        ("sft", "one", "sft"),
        ("sft", "ddp_cpu", "sft2"),
        ("dpo", "one", "dpo"),
        ("dpo", "ddp_cpu", "dpo2"),
    ]:
        code, output = made.run(stage, configuration, out=out)
        assert code == 0, output
    return made


def adapter(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "adapter_model.safetensors"))


def assert_close(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, **TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["sft", "dpo"])
def test_two_processes_make_the_adapter_that_one_makes(project: Project, stage: str) -> None:
    one, two = (adapter(project.folder / out) for out in (stage, f"{stage}2"))
    assert_close(two, one)
    start = adapter(project.folder / "sft") if stage == "dpo" else {name: torch.zeros(()) for name in one}
    assert max((one[name] - start[name]).abs().max().item() for name in one) > 0.01  # they have been trained


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["sft", "dpo"])
def test_metrics_and_learning_curve_are_those_of_one_process(project: Project, stage: str) -> None:
    assert (project.folder / f"{stage}2.json").read_text() == (project.folder / f"{stage}.json").read_text()
    one, two = (pl.read_csv(project.folder / f"{out}.csv") for out in (stage, f"{stage}2"))
    for column in ("step", "loss", "learning_rate"):
        assert one[column].to_list() == pytest.approx(two[column].to_list(), abs=2e-6)


@pytest.mark.slow
def test_only_outputs_are_left(project: Project) -> None:
    kept = [path for path in (project.folder / ".cache").rglob("*") if path.is_file()]
    assert sorted(path.name for path in kept) == ["dpo@qi.log", "resources.jsonl", "sft@qi.log"]
    assert len(kept[0].read_text().splitlines()) == 4  # a stage adds one, however many processes it has


def kill_with_children(process: int) -> None:
    parent = psutil.Process(process)
    for one in [parent, *parent.children(recursive=True)]:
        os.kill(one.pid, signal.SIGKILL)


@pytest.mark.slow
def test_two_killed_processes_go_on_to_the_same_adapter_and_four_refuse_to(project: Project, tmp_path: Path) -> None:
    process = project.start("sft", "ddp_cpu", out="killed")
    deadline = time.monotonic() + 200
    while not (found := list((project.folder / ".cache").rglob("checkpoint-*/trainer_state.json"))):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    kill_with_children(process.pid)
    process.communicate()
    assert not (project.folder / "killed").exists()
    checkpoints = found[0].parents[1]

    four = tmp_path / "four.yaml"
    two = (ACCELERATE / "ddp_cpu.yaml").read_text(encoding="utf-8")
    four.write_text(two.replace("num_processes: 2", "num_processes: 4"), encoding="utf-8")
    code, output = project.run("sft", four, out="killed")
    assert code == 1
    assert "this run began with 2 processes (MULTI_CPU), now there are 4 (MULTI_CPU): start as many again, or" in output

    steps = max(int(path.name.split("-")[1]) for path in checkpoints.glob("checkpoint-*"))
    code, output = project.run("sft", "ddp_cpu", out="killed")
    assert code == 0, output
    log = (project.folder / ".cache" / "logs" / "sft@qi.log").read_text(encoding="utf-8")
    assert log.count("'learning_rate'") == 8 - steps  # it did not begin anew: each step is logged
    assert_close(adapter(project.folder / "killed"), adapter(project.folder / "sft2"))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="there are no groups of processes")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_ends_a_stage_ends_the_processes_that_it_started(tmp_path: Path, number: int) -> None:
    project = Project(tmp_path / "project", {})
    process = project.start("sft", "ddp_cpu", out="ended")
    stage = psutil.Process(process.pid)
    while len(started := stage.children(recursive=True)) < 3:  # the launcher and two that train
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)
    os.killpg(process.pid, number)  # as a terminal does at Ctrl-C
    process.communicate(timeout=120)
    assert process.returncode != 0
    psutil.wait_procs(started, timeout=10)
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in started)
    assert not (project.folder / "ended").exists()


@pytest.mark.parametrize(("configuration", "seen"), [("one", "0"), ("ddp", None)])
@pytest.mark.parametrize("stage", [sft, dpo])
def test_the_gpu_of_one_process_is_chosen_before_a_stage_asks_for_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: ModuleType, configuration: str, seen: str | None
) -> None:
    asked: list[str | None] = []

    def require(*_: object) -> None:
        asked.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
        raise InputError("that is all")

    monkeypatch.setattr(requirements, "require", require)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")  # which is put back at the end
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    project = Project(tmp_path / "project", {})
    (project.folder / "sft").mkdir()  # where a fine-tuned model would be
    arguments = project.arguments(stage.__name__.split(".")[1], ACCELERATE / f"{configuration}.yaml", "none")
    monkeypatch.chdir(project.folder)
    assert "that is all" in CliRunner().invoke(stage.main, arguments).output
    assert asked == [seen]


# --- what can't work ---


@pytest.mark.parametrize(
    ("batch_size", "micro_batch_size", "processes", "fix"),
    [
        (128, 24, 4, "choose a micro_batch_size that divides 32"),
        (64, 1, 3, "choose a number of processes that divides 64, or another batch_size"),
    ],
)
def test_a_batch_that_cannot_be_cut_is_refused(
    batch_size: int, micro_batch_size: int, processes: int, fix: str
) -> None:
    with pytest.raises(InputError, match=fix):
        accumulation(batch_size, micro_batch_size, processes)


def test_the_published_batches_are_cut_for_any_number_of_gpus_that_divides_them() -> None:
    assert [accumulation(128, 4, gpus) for gpus in (1, 2, 4, 8)] == [32, 16, 8, 4]
    assert accumulation(64, 64, 1) == 1


@pytest.mark.slow
def test_a_stage_says_before_it_starts_processes_that_the_batch_cannot_be_cut(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", {"micro_batch_size": 8})
    code, output = project.run("sft", "ddp_cpu")
    assert code == 1
    assert output.strip().splitlines()[-1] == (
        "Error: sft (qi): batch_size: 8 rows are no multiple of 8 (micro_batch_size) x 2 (processes): "
        "choose a micro_batch_size that divides 4"
    )
    assert "Traceback" not in output


def test_a_missing_configuration_is_named_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"mine\.yaml: no such configuration of accelerate; there are ddp, ddp_cpu"):
        distributed.read_config(ACCELERATE / "mine.yaml")


def test_a_configuration_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    text = (ACCELERATE / "ddp.yaml").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text + "numprocesses: 3\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"mine\.yaml: not a configuration of accelerate: .*numprocesses"):
        distributed.read_config(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("num_processes: 2", r"it has no distributed_type, such as \"NO\""),
        ("distributed_type: NO", r"it has no distributed_type, such as \"NO\" \(in quotes\)"),
        ("distributed_type: MULTI_GPU", "num_processes must be a number above 0"),
        ("distributed_type: MULTI_GPU\nnum_processes: two", "num_processes must be a number above 0"),
        ("- MULTI_GPU", "it has no distributed_type"),
        ("", "it has no distributed_type"),
        ("a: [", "not a configuration of accelerate: while parsing"),
    ],
)
def test_a_configuration_that_says_too_little_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=expected):
        distributed.read_config(tmp_path / "mine.yaml")


def test_work_that_another_run_has_is_refused_where_nobody_may_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with (
        partial_work("sft", 1),
        pytest.raises(InputError, match="another run is doing the same work"),
        partial_work("sft", 1, wait=False),
    ):
        pass


# --- configurations: those that need GPUs are read here by accelerate's own code, and not run ---


def launch_arguments(name: str) -> object:
    arguments = launch_command_parser().parse_args(["--config_file", str(ACCELERATE / f"{name}.yaml"), "stage.py"])
    return _validate_launch_command(arguments)[0]


@pytest.mark.parametrize("name", sorted(path.stem for path in ACCELERATE.glob("*.yaml")))
def test_accelerate_reads_each_configuration_and_knows_all_of_its_keys(name: str) -> None:
    wanted = distributed.read_config(ACCELERATE / f"{name}.yaml")
    assert wanted.mixed_precision in (None, "no")  # the param `precision` says it
    known = vars(launch_command_parser().parse_args(["stage.py"]))
    for section in (wanted.deepspeed_config, wanted.fsdp_config):
        assert set(section) <= set(known)
    assert vars(launch_arguments(name))["num_processes"] == wanted.num_processes


def test_the_sharding_configuration_becomes_the_plugin_that_it_describes(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in prepare_multi_gpu_env(launch_arguments("fsdp")).items():
        monkeypatch.setenv(key, value)
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2
    assert plugin.reshard_after_forward is True
    assert plugin.cpu_ram_efficient_loading is True
    assert plugin.state_dict_type.name == "SHARDED_STATE_DICT"


def test_zero3_shards_and_saves_whole_weights() -> None:
    arguments = vars(launch_arguments("zero3"))
    assert arguments["use_deepspeed"] is True
    wanted = {"zero_stage": 3, "zero3_init_flag": True, "zero3_save_16bit_model": True}
    assert {key: arguments[key] for key in wanted} == wanted
