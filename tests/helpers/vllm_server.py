"""vLLM's server on loopback, in fp32 and with little memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

from tests.helpers.servers import LOOPBACK, free_port

MINUTES = 60.0


@contextmanager
def vllm_server(options: Sequence[str], *, model: str, log: Path) -> Iterator[str]:
    """The URL of `vllm serve MODEL` with some options, once it answers.

    Args:
        options: further ones.
        model: its folder.
        log: a file for its output.

    Raises:
        RuntimeError: it has not started, with the end of its output.
    """
    port = free_port()
    # what `vllm serve` runs: that asks for the version of the package `vllm`, which the CPU build is not called
    serve = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model, *options]
    small = ["--dtype", "float32", "--enforce-eager", "--gpu-memory-utilization", "0.1"]
    where = ["--host", LOOPBACK, "--port", str(port)]
    with (
        log.open("wb") as stream,
        subprocess.Popen(
            [*serve, *small, *where],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=os.environ | {"VLLM_NO_USAGE_STATS": "1"},
        ) as process,
    ):
        try:
            _wait_for(f"http://{LOOPBACK}:{port}/health", process, log)
            yield f"http://{LOOPBACK}:{port}"
        finally:
            process.terminate()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 10 * MINUTES
    while process.poll() is None and time.monotonic() < end:
        try:
            urllib.request.urlopen(url).close()
        except URLError:
            time.sleep(1)
        else:
            return
    raise RuntimeError(f"vllm serve did not start: {log.read_text(encoding='utf-8')[-5000:]}")
