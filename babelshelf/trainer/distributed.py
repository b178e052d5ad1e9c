"""Training in several processes, on one machine or many: how they are started, and what the main one does alone.

A configuration of accelerate (`profiles/accelerate/`) says how many processes there are and how they share a model. A
stage that is called as usual starts itself under `accelerate launch` where the configuration asks for it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import torch
from accelerate import PartialState
from accelerate.commands.config.config_args import BaseConfig, load_config_from_file
from accelerate.utils import DistributedType, broadcast_object_list, parse_flag_from_env

from babelshelf.core.errors import InputError
from babelshelf.core.partial_work import partial_work
from babelshelf.runtime import screen
from babelshelf.trainer import accelerate_config
from babelshelf.trainer.accelerate_config import accumulation

# Signals that end a stage: Ctrl-C, `kill`, a terminal that is closed (which Windows does not have).
ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def state() -> PartialState:
    """Accelerate's: the number of processes, and which one this is."""
    return PartialState(cpu=not torch.cuda.is_available() or parse_flag_from_env("ACCELERATE_USE_CPU"))


def is_main() -> bool:
    """Whether this process writes the outputs: one does of all machines' processes."""
    return bool(state().is_main_process)


def launched(config: Path, module: str, batch_size: int, micro_batch_size: int) -> bool:
    """Run `python -m <module>` with this command's arguments in several processes, where `config` asks for them.

    Args:
        config: a file of accelerate's; with `distributed_type: NO` this very process is the one.
        module: the stage's.
        batch_size: see `accumulation`.
        micro_batch_size: see `accumulation`.

    Returns:
        Whether it has been run. If not, this process is to do the work, alone or as one of those that were started.

    Raises:
        InputError: there is no such configuration, or the batch can't be cut as it asks.
    """
    if torch.distributed.is_torchelastic_launched():
        return False
    configuration = read_config(config)
    if configuration.distributed_type == DistributedType.NO:
        accumulation(batch_size, micro_batch_size, 1)
        return False
    accumulation(batch_size, micro_batch_size, configuration.num_processes)
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config)]
    code = _run([*launcher, "--module", module, *sys.argv[1:]])
    if code:
        raise InputError(f"{module}: a process that {config} started failed; it says above why (exit code {code})")
    return True


def _run(launcher: list[str]) -> int:
    """Exit code of a launcher, which is told of what ends this process, and given the time to end its own.

    Those are in sessions of their own, where neither Ctrl-C nor a signal to this process reaches them: without their
    launcher (`subprocess.run` kills it a quarter of a second after Ctrl-C) they would train on, and keep their GPUs.
    """
    started: list[psutil.Process] = []
    stdout, stderr = screen.streams()
    with subprocess.Popen(launcher, start_new_session=True, stdout=stdout, stderr=stderr) as process:

        def end(*_: object) -> None:
            for number in ENDING:
                signal.signal(number, signal.SIG_IGN)  # a second signal would cut the launcher's work short
            with suppress(psutil.NoSuchProcess):
                started.extend(psutil.Process(process.pid).children(recursive=True))
            process.terminate()

        before = {number: signal.signal(number, end) for number in ENDING}
        try:
            return process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            for one in started:  # a launcher that is ended while it starts them leaves them
                with suppress(psutil.NoSuchProcess):
                    one.kill()


def read_config(file: Path) -> BaseConfig:
    """A configuration, read by accelerate.

    Raises:
        InputError: there is no such file, or accelerate refuses it.
    """
    accelerate_config.read(file)
    try:
        return load_config_from_file(str(file))
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{file}: not a configuration of accelerate: {error}") from error


@contextmanager
def shared_work(stage: str, *parts: object) -> Iterator[Path]:
    """`core.partial_work.partial_work` for all processes: the main one locks and removes the folder.

    With several processes nobody waits for another run of the same work, since those that wait for the main one would
    give up in the meantime (after accelerate's time limit, in the middle of a queue).

    Raises:
        InputError: there are several processes, and another run has the folder.
    """
    here = state()
    if here.num_processes == 1:
        with partial_work(stage, *parts) as folder:
            yield folder
    elif here.is_main_process:
        with partial_work(stage, *parts, wait=False) as folder:
            broadcast_object_list([folder])
            yield folder
            here.wait_for_everyone()  # or a slower one may still read what is about to be removed
    else:
        folders: list[Path | None] = [None]
        broadcast_object_list(folders)
        assert folders[0] is not None  # sent by the main process
        yield folders[0]
        here.wait_for_everyone()
