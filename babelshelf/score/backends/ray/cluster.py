"""The cluster that Ray's replicas run on: connect to it, and refuse what it has no room or no files for."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from babelshelf.core.errors import InputError, first_line
from babelshelf.core.files import work_dir
from babelshelf.runtime.child_process import Guard

if TYPE_CHECKING:
    from babelshelf.score.backends.ray import Params
    from babelshelf.score.vllm_serving import Serving

OTHER_CPUS = 2  # that Ray counts for reading and writing, beside those of the engines
PATIENCE = 60.0  # seconds in which a job that was killed gives its engines' places back
ENVIRONMENT = {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}  # of the replicas: their weights are in a folder


@contextmanager
def connected(settings: Params, serving: Serving) -> Iterator[None]:
    """A connection to a cluster that has room for the replicas; one of this machine alone ends with it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when a cluster starts
    import ray  # noqa: PLC0415 - slow to import, and an extra

    shared = work_dir().absolute()
    shared.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if settings.address == "local":
            stack.enter_context(closing(Guard()))  # of the processes that Ray starts here
        stack.callback(ray.shutdown)
        _connect(settings, serving.tensor_parallel)
        _require_room(settings.replicas, serving.tensor_parallel)
        require_files([serving.weights, *([serving.adapter] if serving.adapter else []), str(shared)])
        yield


def _connect(settings: Params, each: int) -> None:
    import ray  # noqa: PLC0415

    # With fewer CPUs, as Ray counts them, it would wait for ever on a small machine.
    cpus = max(os.cpu_count() or 1, settings.replicas * each + OTHER_CPUS)
    local = {"include_dashboard": False, "num_cpus": cpus} if settings.address == "local" else {}
    try:
        check_address(settings.address)
        ray.init(
            settings.address,
            runtime_env={"env_vars": ENVIRONMENT},
            log_to_driver=False,
            logging_level=logging.WARNING,
            **local,
        )
    except (OSError, RuntimeError, ray.exceptions.RayError) as error:
        fix = "start one with `ray start --head` (docs/serving.md), or set it to local"
        raise InputError(
            f"score.ray.address: {settings.address}: no cluster of Ray ({first_line(error)}): {fix}"
        ) from error


def check_address(address: str) -> None:
    """Raise OSError where nobody answers: Ray itself tries again for many minutes."""
    host, colon, port = address.rpartition(":")
    if colon:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()


def device() -> str:
    """What Ray calls that of which an engine needs `tensor_parallel`: GPUs, or for vLLM's CPU build, CPUs."""
    import ray  # noqa: PLC0415

    return "GPU" if ray.cluster_resources().get("GPU") else "CPU"


def _require_room(replicas: int, each: int) -> None:
    """Refuse what Ray would wait for without an end."""
    import ray  # noqa: PLC0415

    kind, needed = device(), replicas * each
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = sum(int(machine.get(kind, 0)) // each for machine in machines)
    setting = f"score.ray.replicas: {replicas}, each on {each} {kind}s of one machine (tensor_parallel)"
    if room < replicas:
        raise InputError(f"{setting}: the cluster's {len(machines)} machines have room for {room}: lower one of them")
    cpus = sum(machine.get("CPU", 0) for machine in machines) - (needed if kind == "CPU" else 0)
    if cpus < OTHER_CPUS:
        raise InputError(f"{setting}: the cluster has {cpus:g} CPUs beside theirs, and {OTHER_CPUS} read and write")
    end = time.monotonic() + PATIENCE
    while (free := ray.available_resources().get(kind, 0)) < needed:
        if time.monotonic() > end:
            raise InputError(f"{setting}: just {free:g} of the cluster's {kind}s are free: wait for its other jobs")
        time.sleep(1)


def require_files(paths: Sequence[str]) -> None:
    """Refuse a cluster with a machine that does not see the files that its replicas read and write."""
    import ray  # noqa: PLC0415
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

    def missing() -> list[str]:
        return [path for path in paths if not os.path.exists(path)]  # noqa: PTH110

    ask = ray.remote(num_cpus=0)(missing)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    strategies = [NodeAffinitySchedulingStrategy(node["NodeID"], soft=False) for node in nodes]
    answers = ray.get([ask.options(scheduling_strategy=strategy).remote() for strategy in strategies])
    for node, lacking in zip(nodes, answers, strict=True):
        if lacking:
            fix = "share this folder, and the models, under the same path on all machines (docs/serving.md)"
            raise InputError(f"score.backend: ray: machine {node['NodeManagerAddress']} lacks {lacking[0]}: {fix}")
