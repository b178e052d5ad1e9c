"""Which experiment may start beside others: one that would compute nothing that a running one is about to compute.

Two experiments that share stages which nobody has run yet would each compute them. So the second waits until the first
has finished these stages, and then takes them from DVC's run cache: the work is that of one job, in less time.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Condition
from typing import Any, Generic, TypeVar

from babelshelf.commands.ladder.recipe import Recipe, overlap
from babelshelf.commands.ladder.rows import flat

Worker = TypeVar("Worker")
TEMPLATE = re.compile(r"\\\$\\\{.*?\\\}")  # `${key}`, after re.escape


def work_keys(recipe: Recipe, params: Mapping[str, Any], stages: Mapping[str, Any]) -> dict[str, str]:
    """A key for the work of each stage of a recipe: the same for two experiments that would compute the same.

    It is made of the stage's name, paths and params, and of the keys of the stages that it depends on.

    Args:
        recipe: of the experiment.
        params: all of its params.
        stages: the section of dvc.yaml.
    """
    all_values = dict(flat(params))
    keys: dict[str, str] = {}

    def key(name: str) -> str:
        if name not in keys:
            stage = recipe.stages[name]
            before = [
                key(other)
                for other, made in sorted(recipe.stages.items())
                if other != name and any(overlap(dep, out) for dep in stage.deps for out in made.outs)
            ]
            pattern = _params_pattern(stages.get(name.partition("@")[0], {}))
            values = {path: value for path, value in all_values.items() if pattern.fullmatch(path)}
            content = [name, sorted(stage.deps), sorted(stage.outs), values, before]
            keys[name] = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
        return keys[name]

    return {name: key(name) for name in recipe.stages}


class WorkSchedule(Generic[Worker]):
    """Runs experiments on workers, as many at once as there are workers.

    Args:
        work: by experiment the keys of its stages, by stage; in the order in which they are to start.
    """

    def __init__(self, work: Mapping[str, Mapping[str, str]]) -> None:
        self._work = work
        self._waiting = list(work)
        self._unfinished: dict[str, set[str]] = {}  # keys that a running experiment has not finished
        self._changed = Condition()

    def run(self, workers: Sequence[Worker], task: Callable[[Worker, str], None]) -> None:
        """Call `task` with a worker and each experiment. If a call raises, no other experiment starts."""
        free: SimpleQueue[Worker] = SimpleQueue()
        for worker in workers:
            free.put(worker)

        def run_all() -> None:
            worker = free.get()
            while (name := self._next()) is not None:
                try:
                    task(worker, name)
                except BaseException:
                    with self._changed:
                        self._waiting.clear()
                    raise
                finally:
                    self._end(name)

        with ThreadPoolExecutor(len(workers)) as pool:
            for future in [pool.submit(run_all) for _ in workers]:
                future.result()

    def finished(self, name: str, stage: str) -> None:
        """A running experiment has finished a stage."""
        with self._changed:
            self._unfinished[name].discard(self._work[name].get(stage, ""))
            self._changed.notify_all()

    def _next(self) -> str | None:
        """The first experiment that may start; waits for one, and is None when all have started."""
        with self._changed:
            while self._waiting:
                busy = set().union(*self._unfinished.values())
                for name in self._waiting:
                    keys = set(self._work[name].values())
                    if not keys & busy:
                        self._waiting.remove(name)
                        self._unfinished[name] = keys
                        return name
                self._changed.wait()
            return None

    def _end(self, name: str) -> None:
        with self._changed:
            del self._unfinished[name]
            self._changed.notify_all()


def _params_pattern(stage: Mapping[str, Any]) -> re.Pattern[str]:
    """The paths of params.yaml that a stage of dvc.yaml names, and all below them; `${key}` stands for any name."""
    names = stage.get("do", stage).get("params", [])
    paths = [TEMPLATE.sub("[^.]+", re.escape(name)) if isinstance(name, str) else ".*" for name in names]
    return re.compile(rf"({'|'.join(paths)})(\..*)?") if paths else re.compile(r"(?!)")
