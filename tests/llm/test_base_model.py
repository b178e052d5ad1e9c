"""Base models that are kept elsewhere: folders that may not change, and models of a hub, pinned by commit."""

from __future__ import annotations

import errno
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub.errors import HfHubHTTPError
from pydantic import ValidationError

from babelshelf.core.errors import InputError
from babelshelf.llm import base_model
from babelshelf.llm.params import SourceParams
from tests.helpers import tiny_lm

HEAD, OLDER, UNKNOWN = "1" * 40, "2" * 40, "3" * 40
MODEL = "someone/tiny-lm"


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's protocol as its client needs for a download: two commits, one model, one gated model."""

    files: dict[str, bytes] = {}  # noqa: RUF012 - set by the fixture
    asked: list[str] = []  # noqa: RUF012

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.asked.append(self.path)
        parts = self.path.split("?")[0].strip("/").split("/")
        name = "/".join(parts[2:4] if parts[0] == "api" else parts[:2])
        if name == "someone/gated":
            self._answer(403, b"{}", {"X-Error-Code": "GatedRepo"})
        elif name != MODEL:
            self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif (revision := _revision(parts)) not in (HEAD, OLDER):
            self._answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        elif "tree" in parts:
            self._answer(200, json.dumps(self._listed()).encode(), {"Content-Type": "application/json"})
        elif parts[0] == "api":
            self._answer(200, json.dumps({"id": MODEL, "sha": revision, "siblings": []}).encode(), {})
        else:
            body = self.files[parts[-1]]
            self._answer(200, body, {"ETag": f'"{len(body)}-{parts[-1]}"', "X-Repo-Commit": revision})

    def _listed(self) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": name, "size": len(body), "oid": f"{len(body)}-{name}"}
            for name, body in self.files.items()
        ]

    def _answer(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _revision(parts: list[str]) -> str:
    """What the path names, `main` resolved."""
    for mark in ("revision", "tree", "resolve"):
        if mark in parts:
            return {"main": HEAD}.get(parts[parts.index(mark) + 1], parts[parts.index(mark) + 1])
    return HEAD


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    """A hub on loopback with the model MODEL, and an empty local cache."""
    base = tiny_lm.save_base(tmp_path / "uploaded")
    Hub.files = {file.name: file.read_bytes() for file in base.iterdir()} | {"model.gguf": b"the same again"}
    Hub.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    yield Hub
    server.shutdown()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    return tiny_lm.save_base(tmp_path / "elsewhere")


def _pointed(out: Path, made: dict[str, object]) -> Path:
    base_model.write(out, made)
    return out


def test_a_folder_without_a_pointer_is_the_model(elsewhere: Path) -> None:
    assert base_model.weights(elsewhere) == elsewhere


def test_a_folder_is_pointed_to_with_what_it_holds(elsewhere: Path, tmp_path: Path) -> None:
    out = _pointed(tmp_path / "lm", base_model.to_folder(str(elsewhere)))
    written = json.loads((out / "pointer.json").read_text(encoding="utf-8"))
    assert written["folder"] == str(elsewhere)
    assert written["config"] == {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "vocab_size": len(tiny_lm.tokenizer()),
    }
    assert [file.name for file in out.iterdir()] == ["pointer.json"]
    assert base_model.weights(out) == elsewhere


def test_a_folder_that_has_changed_or_gone_is_refused(elsewhere: Path, tmp_path: Path) -> None:
    out = _pointed(tmp_path / "lm", base_model.to_folder(str(elsewhere)))
    (elsewhere / "model.safetensors").write_bytes(b"other weights")
    base_model._fingerprint.cache_clear()  # as in another process
    with pytest.raises(
        InputError, match=r"pointer\.json: .*elsewhere has changed since; run `dvc repro -f base_model`"
    ):
        base_model.weights(out)
    shutil.rmtree(elsewhere)
    with pytest.raises(InputError, match=r"elsewhere: no such folder"):
        base_model.weights(out)


def test_a_relative_folder_counts_from_the_main_repository(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An experiment runs in a copy, from where the path would lead nowhere."""
    (tmp_path / "copy").mkdir()
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    out = _pointed(tmp_path / "lm", base_model.to_folder("./elsewhere"))
    assert base_model.weights(out) == elsewhere
    assert json.loads((out / "pointer.json").read_text(encoding="utf-8"))["folder"] == "./elsewhere"


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such folder"):
        base_model.to_folder(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no config\.json in it"):
        base_model.to_folder(str(tmp_path / "empty"))


def test_a_branch_is_resolved_to_its_commit_and_the_cache_serves_from_then_on(
    hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = _pointed(tmp_path / "lm", base_model.to_hub(MODEL, None))
    written = json.loads((out / "pointer.json").read_text(encoding="utf-8"))
    assert (written["model"], written["revision"]) == (MODEL, HEAD)
    assert base_model.identity(out) == f"{MODEL}@{HEAD}"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hub.asked.clear()
    folder = base_model.weights(out)
    assert hub.asked == []
    assert (folder / "model.safetensors").read_bytes() == hub.files["model.safetensors"]
    assert not (folder / "model.gguf").exists()
    assert len(base_model.load_tokenizer(out)) == len(tiny_lm.tokenizer())


def test_a_pinned_revision_is_the_one_that_is_taken(hub: type[Hub]) -> None:
    assert base_model.to_hub(MODEL, OLDER)["revision"] == OLDER
    assert all("main" not in path for path in hub.asked)


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("model", "revision", "message"),
    [
        (MODEL, UNKNOWN, rf"{MODEL} at {UNKNOWN}: the hub's model has no such revision"),
        ("someone/nothing", None, "someone/nothing: the hub has no such model"),
        ("someone/gated", None, "someone/gated: its licence has to be accepted"),
    ],
)
def test_what_the_hub_refuses_is_one_clear_error(model: str, revision: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        base_model.to_hub(model, revision)
    assert "\n" not in raised.value.message


def test_a_model_that_is_not_in_the_cache_names_the_switch_that_keeps_it_from_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"someone/tiny-lm: not in the local cache.* HF_HUB_OFFLINE=0"):
        base_model.to_hub(MODEL, None)


SILENT = HfHubHTTPError("", response=SimpleNamespace(headers={}, request=None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "blobs"), "the local cache, .*, can't be used: .*denied"),
        (OSError(), "the local cache, .*, can't be used: OSError"),
        (ConnectionResetError("reset"), "the hub does not answer"),
        (SILENT, "the hub's answer: HfHubHTTPError"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_wrong_here_is_not_said_of_the_hub(
    error: OSError, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: (_ for _ in ()).throw(error))
    with pytest.raises(InputError, match=f"{MODEL}: .*{message}"):
        base_model.download(MODEL, None)


def test_a_full_disk_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: (_ for _ in ()).throw(error))
    with pytest.raises(OSError, match="No space left"):
        base_model.download(MODEL, None)


def test_models_of_other_weights_have_other_identities_wherever_they_are(elsewhere: Path, tmp_path: Path) -> None:
    pointed = _pointed(tmp_path / "lm", base_model.to_folder(str(elsewhere)))
    copied = shutil.copytree(elsewhere, tmp_path / "copied")
    assert base_model.identity(pointed) == base_model.identity(copied)
    (copied / "model.safetensors").write_bytes(b"other weights")
    assert base_model.identity(pointed) != base_model.identity(copied)


@pytest.mark.parametrize(
    ("model", "revision", "message"),
    [
        ("Qwen/Qwen3-0.6B-Base", "main", "expected none, or the 40 hex digits of a commit"),
        ("nano", HEAD, "hub have revisions, and nano is not one"),
        ("./mine", HEAD, r"hub have revisions, and \./mine is not one"),
        ("models/base/mine", "none", "expected nano, a hub id such as"),
    ],
)
def test_params_that_no_model_can_have_are_refused(model: str, revision: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SourceParams(model=model, revision=revision)
