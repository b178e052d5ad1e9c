"""The backend `ray` on a real cluster of two workers, row by row against `transformers`: `make test-vllm`.

The cluster is of Ray itself (`ray.cluster_utils`): two nodes on this machine, each with a scheduler of its own and room
for one engine, which are vLLM's, on its CPU build.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import numpy as np
import polars as pl
import psutil
import pytest

from babelshelf.core.errors import InputError
from babelshelf.core.rows import read_table, write_rows
from babelshelf.score.backends.ray import cluster as backend
from babelshelf.score.params import ScoreParams
from babelshelf.score.scorer import by_tokens, load_scorer, score_pairs
from babelshelf.score.vllm_serving import Serving
from tests.helpers import tiny_lm
from tests.helpers.workspace import Workspace, copy_sources
from tests.runtime.test_child_process import assert_none_outlives
from tests.score.backends.test_vllm import ROWS, TOLERANCE, adapted, by_transformers

pytestmark = pytest.mark.vllm
MINUTES = 60.0
SHARD = 4  # rows: many shards, so that a kill finds a run between two of them
KEPT = 0.123  # written into finished shards: a run that computes them again does not give it
Models = tuple[Path, Path]


@pytest.fixture(scope="module", autouse=True)
def small_engines() -> Iterator[None]:
    """GiB that the CPU build takes for keys and values; both engines on any core."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        yield


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """A base model and an adapter that moves most answers."""
    root = tmp_path_factory.mktemp("models")
    adapted(root / "base", root / "adapter")
    return root / "base", root / "adapter"


@pytest.fixture(scope="module")
def expected(models: Models) -> np.ndarray:
    return by_transformers(models, "fp32")


@pytest.fixture(scope="module")
def cluster(small_engines: None) -> Iterator[Any]:
    """Two nodes, as two machines would be, of two CPUs each."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - where vLLM is

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    try:
        started.add_node(num_cpus=2)
        yield started
    finally:
        started.shutdown()


@pytest.fixture
def workspace(root: Path, cluster: Any, tmp_path: Path) -> Workspace:  # noqa: ANN401
    """A clone whose params score on the cluster."""
    found = Workspace(tmp_path / "workspace", tmp_path / "dvc")
    copy_sources(root, found.folder)
    engine = "adapter: lora, tensor_parallel: 1, gpu_memory_utilization: 0.1, enforce_eager: true"
    own = f"{{address: '{cluster.address}', replicas: 2, shard: {SHARD}, precision: fp32, {engine}}}"
    found.set_params(f"score: {{backend: ray, ray: {own}}}")
    return found


def params(**changes: object) -> ScoreParams:
    return tiny_lm.score_params("ray", **changes)


def until(true: Callable[[], object], process: Popen[str]) -> None:
    """Wait while a process runs."""
    end = time.monotonic() + 5 * MINUTES
    while not true():
        assert process.poll() is None, process.stdout and process.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.01)


def replicas() -> list[psutil.Process]:
    """The processes that hold an engine; the parent of each is the scheduler of its node."""
    processes = psutil.process_iter(["cmdline"])
    return [each for each in processes if "vLLMEngineStageUDF" in "".join(each.info["cmdline"] or [])]


def running() -> list[psutil.Process]:
    """Engines, and schedulers of a cluster."""
    processes = psutil.process_iter(["name"])
    return [each for each in processes if each.info["name"].startswith(("VLLM::", "raylet", "gcs_server"))]


def finished(workspace: Workspace) -> set[str]:
    files = workspace.folder.glob(".cache/ray/*/finished/*.parquet")
    return {file.stem for file in files if not file.stem.endswith(".pending")}


def mark(workspace: Workspace, shards: set[str]) -> set[int]:
    """Put `KEPT` into finished shards; return the numbers of their prompts."""
    numbers: set[int] = set()
    for shard in shards:
        (file,) = workspace.folder.glob(f".cache/ray/*/p_yes/{shard}*")
        table = pl.read_parquet(file).with_columns(p_yes=pl.lit(KEPT))
        table.write_parquet(file)
        numbers |= set(table["number"])
    return numbers


def test_the_stage_is_killed_and_goes_on_from_its_shards_and_a_replica_that_dies_is_replaced(
    workspace: Workspace, models: Models, expected: np.ndarray, tmp_path: Path
) -> None:
    write_rows(tmp_path / "train.parquet", ROWS)
    command = (sys.executable, "-m", "stages.score_train", "qi", "--pairs", str(tmp_path / "train.parquet"))
    command += ("--base", str(models[0]), "--model", str(models[1]), "--out", str(tmp_path / "out"))
    with workspace.call(*command) as killed:
        until(lambda: finished(workspace), killed)
        nodes = {replica.ppid() for replica in replicas()}
        os.killpg(killed.pid, signal.SIGKILL)
    assert len(nodes) == 2
    done = finished(workspace)
    kept = mark(workspace, done)
    assert 0 < len(kept) < ROWS.height

    with workspace.call(*command) as resumed:
        until(lambda: finished(workspace) > done, resumed)
        replicas()[0].kill()
        output, _ = resumed.communicate(timeout=5 * MINUTES)
    assert resumed.returncode == 0, output
    scores = read_table(tmp_path / "out" / "scores.parquet")["p_yes"].to_numpy()
    of_this_run = np.setdiff1d(np.arange(ROWS.height), order(models)[sorted(kept)])
    np.testing.assert_allclose(scores[of_this_run], expected[of_this_run], rtol=0, atol=TOLERANCE["fp32"])
    assert (scores == KEPT).sum() == len(kept)
    assert not list(workspace.folder.glob(".cache/ray/*"))


def order(models: Models) -> np.ndarray:
    """Numbers of the rows in the order in which they are scored."""
    with load_scorer(*models, tiny_lm.score_params()) as scorer:
        return by_tokens(scorer.encode(ROWS))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"replicas": 5}, "room for 4"),
        ({"replicas": 4}, "the cluster has 0 CPUs beside theirs"),
        ({"address": "127.0.0.1:9"}, "127.0.0.1:9: no cluster of Ray"),
    ],
)
def test_what_ray_would_wait_for_is_refused(
    changes: dict[str, object],
    message: str,
    models: Models,
    cluster: Any,  # noqa: ANN401
) -> None:
    settings = params(**({"address": cluster.address} | changes))
    with pytest.raises(InputError, match=message), load_scorer(*models, settings):
        pass


def test_weights_that_a_replica_cannot_load_are_one_error(models: Models, cluster: Any, tmp_path: Path) -> None:  # noqa: ANN401
    base = Path(shutil.copytree(models[0], tmp_path / "base"))
    (weights,) = base.glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:1000])
    one_line = (
        r"^score.backend: ray: a replica failed: [^\n]*Unterminated string[^\n]*; finished shards are kept; [^\n]*$"
    )
    settings = params(address=cluster.address)
    with pytest.raises(InputError, match=one_line), load_scorer(base, models[1], settings) as scorer:
        tiny_lm.p_yes(scorer, ROWS)


def test_a_folder_that_a_machine_does_not_see_is_named(cluster: Any, tmp_path: Path) -> None:  # noqa: ANN401
    import ray  # noqa: PLC0415 - where vLLM is

    ray.init(cluster.address, log_to_driver=False)
    try:
        backend.require_files([str(tmp_path)])
        with pytest.raises(InputError, match=f"machine .* lacks {tmp_path}/nothing: share this folder"):
            backend.require_files([str(tmp_path), str(tmp_path / "nothing")])
    finally:
        ray.shutdown()


ITS_OWN = """
import time
from babelshelf.core.params import section
from babelshelf.score.backends.ray import Params
from babelshelf.score.backends.ray.cluster import connected
from tests.helpers import tiny_lm
from tests.score.backends.test_vllm_ray import served

with connected(section(Params, {"ray": tiny_lm.RAY | {"precision": "fp32"}}, "ray", None), served()):
    time.sleep(3)  # guards look twice a second
    print("connected", flush=True)
    time.sleep(600)
"""


def served() -> Serving:
    """What a cluster is asked to see: the folder that this is called in."""
    return Serving(".", None, 1, (1, 2), 16, "float32", 1, 0.1, True)


def test_a_cluster_of_its_own_does_not_outlive_kill_minus_nine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert_none_outlives(ITS_OWN, at_least=3)


# The last one: a process that was in one cluster cannot start actors in another that was there before.
def test_fp32_agrees_with_transformers_on_a_cluster_of_its_own_that_leaves_nothing_running(
    models: Models, expected: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {each.pid for each in running()}
    with load_scorer(*models, params()) as scorer:
        scores = score_pairs(ROWS, scorer, tmp_path / "done")
    difference = float(np.abs(scores - expected).max())
    with capsys.disabled():
        print(f"\nray, fp32: the greatest difference of p(yes) in {len(scores)} rows is {difference:.1e}")
    assert difference <= TOLERANCE["fp32"]
    end = time.monotonic() + MINUTES / 2  # an engine that was told to end takes a moment
    while left := {each.pid for each in running()} - before:
        assert time.monotonic() < end, left
        time.sleep(0.5)
