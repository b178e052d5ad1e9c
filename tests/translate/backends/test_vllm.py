"""The backend `vllm` on the real engine, row by row against `transformers`; `vllm serve` with the backend `openai`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from babelshelf.core.params import section
from babelshelf.translate.params import BACKENDS, TranslateParams
from babelshelf.translate.translator import Translation, load_translator
from tests.helpers import tiny_mistral
from tests.translate.test_causal_lm import GLOSSARY, NANO, QUERIES, params, stage

pytestmark = pytest.mark.vllm
VLLM = {"max_num_seqs": 16, "tensor_parallel": 1, "gpu_memory_utilization": 0.1}
BEAM = {"decoding": "beam", "max_tokens": 5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_mistral.save(tmp_path_factory.mktemp("mistral"))


@pytest.fixture(scope="module", autouse=True)
def small_engine() -> Iterator[None]:
    """The CPU build takes this share of memory for its cache of keys and values, in GiB."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        yield


@pytest.mark.parametrize("changes", [{}, BEAM], ids=["greedy", "beam"])
def test_the_stage_gives_what_transformers_gives(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    made = stage(folder, tmp_path, monkeypatch, "vllm", **VLLM, **changes)
    reference = stage(folder, tmp_path, monkeypatch, "transformers", **changes)
    assert made.rows() == reference.rows()
    assert made["query"].to_list() == sorted(QUERIES)
    assert not any(text.startswith("Translate the following") for text in made["translation"])  # as a beam's tokens do


def free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture
def endpoint(folder: Path, tmp_path: Path) -> Iterator[str]:
    """The URL of `vllm serve` with the model."""
    port = free_port()
    arguments = ["--model", str(folder), "--served-model-name", "tiny", "--port", str(port), "--host", "127.0.0.1"]
    arguments += ["--dtype", "float32", "--max-model-len", "512", "--generation-config", "vllm", "--enforce-eager"]
    log = (tmp_path / "serve.log").open("w")
    # What `vllm serve` runs; its own command asks for the package's name, which is another of the CPU build.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *arguments]
    server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ)
    try:
        _wait(f"http://127.0.0.1:{port}/health", server, tmp_path / "serve.log")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(60)
        log.close()


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(1)
    raise TimeoutError(log.read_text()[-3000:])


def test_vllm_serve_gives_what_transformers_gives(folder: Path, endpoint: str) -> None:
    request = {"temperature": 0, "max_tokens": 12, "stop": ["\n"]}
    own = BACKENDS.defaults("openai") | {
        "base_url": endpoint,
        "model": "tiny",
        "api": "completions",
        "request": request,
    }
    values = NANO | {"backend": "openai", "openai": BACKENDS.defaults("openai") | own, "rows_per_language": 1}
    client = load_translator(section(TranslateParams, {"translate": values}, "translate", None), GLOSSARY)
    made = client.translate(QUERIES, "en", "de")
    reference = load_translator(params(folder), GLOSSARY).translate(QUERIES, "en", "de")
    assert [(t.text, t.complete) for t in made] == [(t.text, t.complete) for t in reference]
    assert BACKENDS.defaults("openai")["prompt"] == BACKENDS.defaults("transformers")["prompt"]
    assert any(isinstance(t, Translation) and t.text for t in made)
