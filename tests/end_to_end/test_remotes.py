"""DVC remotes on real storage: what two clones of one git repository share through a folder, S3 and SSH.

S3 is moto's server and SSH is OpenSSH's, both on loopback, and DVC's own clients talk to them. Each clone is on a
machine of its own: another home folder and other DVC caches, and no credentials but those that a test gives to it.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
import shlex
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fsspec
import pytest
from dvc.config import Config

from tests.helpers import servers
from tests.helpers.workspace import DVC, MINUTES, Workspace, stages_run

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

ALL = ("pull", "summarize", "--with-deps")
FOLDER = pytest.param("folder", marks=pytest.mark.ci)
KINDS = [FOLDER, "s3", "ssh"]
ONE_KIND = pytest.mark.parametrize("published", [FOLDER], indirect=True)  # what does not depend on the storage
RESULTS = ["data", "models", "metrics"]
UP_TO_DATE = "Data and pipelines are up to date."
CHANGE = {  # of B, and what follows from it; the one that trains is tried on one remote
    "folder": ("tasks: {qc: {calibrate: {threshold: 0.123}}}", {"calibrate@qc", "evaluate@qc", "summarize"}),
    "s3": (
        "tasks: {qi: {mine_negatives: {rank_window: [3, 20]}}}",
        {"mine_negatives@qi", "sft@negatives-qi", "score@qi", "calibrate@qi", "evaluate@qi", "summarize"},
    ),
    "ssh": ("tasks: {qi: {calibrate: {threshold: 0.456}}}", {"calibrate@qi", "evaluate@qi", "summarize"}),
}


@dataclass(frozen=True)
class Remote:
    """A place to push to.

    Attributes:
        kind: `folder`, `s3` or `ssh`.
        url: as `dvc remote add` takes it.
        options: what `dvc remote modify` puts into git.
        private: what `dvc remote modify --local` keeps out of it.
        port: of the server.
        storage, top: the same place seen from the server's side.
    """

    kind: str
    url: str
    options: dict[str, str]
    private: dict[str, str]
    port: int
    storage: Any
    top: str

    def replace(self, md5: str, content: bytes) -> None:
        """Put other content into the place of an object."""
        self.remove(md5)
        self.storage.pipe_file(self._path(md5), content)

    def remove(self, md5: str) -> None:
        """Take an object away."""
        self.storage.rm_file(self._path(md5))

    def by_port(self, port: int) -> dict[str, str]:
        """Options that reach the server at another port."""
        return {"endpointurl": f"http://{servers.LOOPBACK}:{port}"} if self.kind == "s3" else {"port": str(port)}

    def _path(self, md5: str) -> str:
        return f"{self.top}/files/md5/{md5[:2]}/{md5[2:]}"


def _folder(folder: Path) -> Remote:
    store = folder / "store"
    return Remote("folder", str(store), {}, {}, 0, fsspec.filesystem("file"), str(store))


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    """Moto's server."""
    with servers.s3() as url:
        yield url


def _s3(endpoint: str) -> Remote:
    private = {"access_key_id": "testing", "secret_access_key": uuid.uuid4().hex}
    key, secret = private.values()
    storage = fsspec.filesystem("s3", key=key, secret=secret, endpoint_url=endpoint, use_listings_cache=False)
    bucket = f"bucket-{uuid.uuid4().hex}"
    storage.mkdir(bucket)
    options = {"endpointurl": endpoint, "region": "us-east-1"}
    return Remote("s3", f"s3://{bucket}/dvc", options, private, _port(endpoint), storage, f"{bucket}/dvc")


def _port(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])


@pytest.fixture(scope="module")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """OpenSSH's server: its port, and the key that it lets in."""
    folder = tmp_path_factory.mktemp("sshd")
    with servers.sshd(folder) as port:
        yield port, folder / "user"


def _ssh(server: tuple[int, Path], folder: Path) -> Remote:
    port, key = server
    store = folder / "store"
    private = {"user": getpass.getuser(), "keyfile": str(key)}
    storage = fsspec.filesystem("file")
    return Remote("ssh", f"ssh://{servers.LOOPBACK}{store}", {"port": str(port)}, private, port, storage, str(store))


def _remote(kind: str, request: pytest.FixtureRequest, folder: Path) -> Remote:
    if kind == "s3":
        return _s3(request.getfixturevalue("s3_endpoint"))
    if kind == "ssh":
        return _ssh(request.getfixturevalue("ssh_server"), folder)
    return _folder(folder)


def _machine(folder: Path, home: Path) -> Workspace:
    """A repository in `folder`, used by somebody with a home of their own and no credentials."""
    home.mkdir()
    workspace = Workspace(folder, home / "dvc")
    inherited = {name: value for name, value in workspace.environment.items() if not name.startswith(("AWS_", "SSH_"))}
    person = {f"GIT_{role}_{what}": "a@b.example" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    workspace.environment = {
        **inherited,
        **person,
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return workspace


def _add(remote: Remote, workspace: Workspace) -> None:
    """What the `dvc remote` lines of docs/remotes.md do, in one process."""
    with Config(str(workspace.folder / ".dvc")).edit("repo") as config:
        config["core"]["remote"] = "store"
        config["remote"]["store"] = {"url": remote.url, "verify": True, **remote.options}
    _set_private(workspace, remote.private)


def _set_private(workspace: Workspace, options: dict[str, str]) -> None:
    """`dvc remote modify --local store ...`, of all of them."""
    if options:
        with Config(str(workspace.folder / ".dvc")).edit("local") as config:
            config["remote"].setdefault("store", {}).update(options)


@dataclass(frozen=True)
class Published:
    """A remote that A has pushed to.

    Attributes:
        remote: all of A's results, and its run cache.
        origin: the bare git repository.
        a: A's clone.
    """

    remote: Remote
    origin: Path
    a: Workspace

    def clone(self, folder: Path, *, signed_in: bool = True) -> Workspace:
        """Another clone of `origin`, on another machine."""
        self.a.git("clone", "--quiet", str(self.origin), str(folder))
        workspace = _machine(folder, folder.with_name(f"{folder.name}-home"))
        if signed_in:
            _set_private(workspace, self.remote.private)
        return workspace


def _publish(built: Workspace, remote: Remote, folder: Path, *push: str) -> Published:
    built.copy(folder / "a")
    a = _machine(folder / "a", folder / "a-home")
    _add(remote, a)
    origin = folder / "origin.git"
    a.git("init", "--quiet", "--bare", str(origin))
    a.git("remote", "add", "origin", str(origin))
    a.git("add", "--all")
    a.git("commit", "--quiet", "--message", "the first run")
    a.dvc("push", *push)
    a.git("push", "--quiet", "--set-upstream", "origin", "HEAD")
    origin_head = a.git("symbolic-ref", "HEAD").strip()
    a.git("--git-dir", str(origin), "symbolic-ref", "HEAD", origin_head)
    return Published(remote, origin, a)


@pytest.fixture(scope="module", params=KINDS)
def published(request: pytest.FixtureRequest, built: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Each of the three kinds, with all of A's results and its run cache; only what adds to it may be done to it."""
    folder = tmp_path_factory.mktemp(request.param)
    return _publish(built, _remote(request.param, request, folder), folder, "--run-cache")


def _contents(workspace: Workspace, paths: list[str]) -> dict[str, bytes]:
    """Files below `paths`, by path."""
    files = [file for path in paths for file in (workspace.folder / path).rglob("*") if file.is_file()]
    return {str(file.relative_to(workspace.folder)): file.read_bytes() for file in files}


def _stored(workspace: Workspace) -> dict[str, Path]:
    """Objects of the DVC cache, by hash; what is half there has another name."""
    files = (workspace.folder / ".dvc" / "cache" / "files" / "md5").glob("??/*")
    return {f"{file.parent.name}{file.stem}": file for file in files if len(file.stem) == 30}


def _below(path: Path) -> dict[str, bytes]:
    """A file, or the files below a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def _md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()


def _page(root: Path) -> list[str]:
    """Lines of docs/remotes.md."""
    return (root / "docs" / "remotes.md").read_text(encoding="utf-8").splitlines()


# --- two clones ---


def test_a_clone_pulls_and_has_nothing_to_run(published: Published, tmp_path: Path) -> None:
    b = published.clone(tmp_path / "b")
    b.dvc(*ALL, "--run-cache")
    output = b.dvc("repro", "summarize")
    assert output.rstrip().endswith(UP_TO_DATE)
    assert stages_run(output) == []
    assert b.git("status", "--porcelain") == ""
    results = _contents(b, RESULTS)
    assert any(path.startswith("models/") for path in results)
    assert results == _contents(published.a, RESULTS)


def test_what_follows_from_a_change_of_b_comes_back_to_a(published: Published, tmp_path: Path) -> None:
    overlay, expected = CHANGE[published.remote.kind]
    a, b = (published.clone(tmp_path / name) for name in "ab")
    for one in (a, b):
        one.dvc(*ALL)
    b.set_params(overlay)
    assert set(stages_run(b.dvc("repro", "summarize"))) == expected
    b.git("commit", "--quiet", "--all", "--message", "a change")
    b.dvc("push", "--run-cache")
    b.git("push", "--quiet", "origin", "HEAD:refs/heads/change")

    a.git("pull", "--quiet", "origin", "change")
    a.dvc(*ALL)
    assert stages_run(a.dvc("repro", "summarize")) == []
    assert _contents(a, RESULTS) == _contents(b, RESULTS)
    changes = a.dvc("metrics", "diff", "HEAD~1", "--json").splitlines()[-1]
    assert any(values["diff"] != 0 for values in json.loads(changes)["metrics/summarize.json"].values())


@ONE_KIND
def test_make_repro_has_nothing_to_run_in_a_clone_that_pulled(published: Published, tmp_path: Path) -> None:
    b = published.clone(tmp_path / "b")
    b.dvc(*ALL)
    installed = f"{sys.prefix}/installed"  # the stamp of the environment that these tests run in
    code, output = b.run("make", f"VENV={sys.prefix}", "-o", installed, "repro")
    assert code == 0, output
    assert UP_TO_DATE in output
    assert stages_run(output) == []


@ONE_KIND
def test_a_fresh_clone_is_up_to_date_and_needs_next_to_nothing(published: Published, tmp_path: Path) -> None:
    b = published.clone(tmp_path / "b")
    output = b.dvc("repro", "summarize", "--pull", "--allow-missing")
    assert output.rstrip().endswith(UP_TO_DATE)
    assert stages_run(output) == []
    assert not (b.folder / "models" / "base" / "lm").exists()


# --- parts ---


@ONE_KIND
def test_a_pull_of_everything_succeeds_with_allow_missing_alone(published: Published, tmp_path: Path) -> None:
    b = published.clone(tmp_path / "b")
    code, output = b.run(*DVC, "pull")
    assert code == 1
    assert "models/dpo" in output  # no recipe used it, so it has no output
    b.dvc("pull", "--allow-missing")
    assert _contents(b, RESULTS) == _contents(published.a, RESULTS)


@ONE_KIND
def test_one_variant_alone_can_be_pulled(published: Published, root: Path, tmp_path: Path) -> None:
    """The commands of docs/remotes.md, each in a clone where nothing was pulled."""
    # The recipe of the tests fine-tunes LMs, and that of the page, the default, fits classifiers.
    page = [line.replace("models/classifier/", "models/sft/") for line in _page(root)]
    pulls = [line for line in page if line.startswith("dvc pull ")]
    commands = [line for line in pulls if "summarize" not in line and "--allow-missing" not in line]
    assert len(commands) >= 3
    for number, command in enumerate(commands):
        b = published.clone(tmp_path / str(number))
        tracked = _contents(b, ["data", "models"])
        b.dvc(*shlex.split(command, comments=True)[1:])
        after = _contents(b, ["data", "models"])
        assert tracked.items() < after.items(), command
        assert after.items() < _contents(published.a, ["data", "models"]).items(), command


@pytest.mark.parametrize("path", ["data/negatives/qc", "models/sft/filtered/qc", "data/original/qi/dev.parquet"])
def test_dvc_get_brings_a_dataset_or_a_model_to_another_folder(published: Published, tmp_path: Path, path: str) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere = _machine(folder, tmp_path / "home")
    private = [f"{name}={value}" for name, value in published.remote.private.items()]
    elsewhere.dvc(
        "get", str(published.origin), path, "--out", "got", *(["--remote-config", *private] if private else [])
    )
    assert _below(folder / "got") == _below(published.a.folder / path)


# --- what goes wrong ---


@pytest.mark.parametrize("published", ["s3", "ssh"], indirect=True)
def test_a_pull_cut_off_in_the_middle_goes_on(published: Published, tmp_path: Path) -> None:
    b = published.clone(tmp_path / "b")
    size = sum(file.stat().st_size for file in _stored(published.a).values())
    with closing(servers.StallingProxy(published.remote.port, limit=size // 2)) as proxy:
        _set_private(b, published.remote.by_port(proxy.port))
        process = b.call(*DVC, *ALL, "--jobs", "1")
        assert proxy.stalled.wait(2 * MINUTES)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    arrived = {md5: file.stat().st_mtime_ns for md5, file in _stored(b).items()}
    assert len(arrived) > 2
    assert all(_md5(file) == md5 for md5, file in _stored(b).items())

    _set_private(b, published.remote.by_port(published.remote.port))
    output = b.dvc(*ALL)
    stored = {md5: file.stat().st_mtime_ns for md5, file in _stored(b).items()}
    assert arrived.items() <= stored.items()  # not fetched again
    fetched = re.search(r"(\d+) files? fetched", output)
    assert fetched is not None
    assert 0 < int(fetched[1]) <= len(stored) - len(arrived)
    assert _contents(b, RESULTS) == _contents(published.a, RESULTS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_corrupted_object_is_found_named_and_can_be_fixed(
    built: Workspace, request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    remote = _remote(kind, request, tmp_path)
    out, file = "data/negatives/qc", "data/negatives/qc/train.parquet"
    published = _publish(built, remote, tmp_path, out)
    whole = (published.a.folder / file).read_bytes()
    md5 = _md5(published.a.folder / file)
    remote.replace(md5, whole[:100] + bytes(byte ^ 1 for byte in whole[100:]))

    b = published.clone(tmp_path / "b")
    code, output = b.run(*DVC, "pull", "--verbose", out)
    assert code != 0
    assert f"corrupted cache file '{b.folder}/.dvc/cache/files/md5/{md5[:2]}/{md5[2:]}'" in output
    assert f"Checkout failed for following targets:\n{out}\n" in output
    assert not (b.folder / file).exists()
    assert md5 not in _stored(b)
    assert re.search(rf"deleted: +{file}\n", b.dvc("status", "--cloud", out))

    remote.replace(md5, _stored(published.a)[md5].read_bytes())  # the cache has it under the same name
    b.dvc("pull", out)
    assert (b.folder / file).read_bytes() == whole


# --- credentials ---


@pytest.mark.parametrize("published", ["s3", "ssh"], indirect=True)
def test_credentials_are_needed_and_stay_out_of_git(published: Published, tmp_path: Path) -> None:
    b = published.clone(tmp_path / "b", signed_in=False)
    code, output = b.run(*DVC, "pull", "data/negatives/qc")
    assert code != 0, output
    for name, value in published.remote.private.items():
        b.dvc("remote", "modify", "--local", "store", name, value)
    b.dvc("pull", "data/negatives/qc")
    assert b.git("status", "--porcelain") == ""
    b.git("add", "--all")
    history = b.git("log", "--all", "--patch") + b.git("diff", "--cached")
    assert published.remote.url in history
    for value in set(published.remote.private.values()) - {getpass.getuser(), "testing"}:
        assert value not in history
        assert value in (b.folder / ".dvc" / "config.local").read_text(encoding="utf-8")


def test_the_lines_of_the_page_are_valid_and_put_no_credentials_into_git(root: Path, tmp_path: Path) -> None:
    home = _machine(tmp_path, tmp_path / "home")
    home.git("init", "--quiet")
    home.dvc("init", "--quiet")
    lines = [shlex.split(line, comments=True) for line in _page(root) if line.startswith("dvc remote ")]
    assert {urlsplit(line[-1]).scheme for line in lines if line[2] == "add"} == {"", "s3", "gs", "azure", "ssh"}
    local = home.folder / ".dvc" / "config.local"
    private = [line[-2:] for line in lines if "--local" in line]
    assert len(private) == 4
    for line in lines:
        if line[2] == "add":
            local.unlink(missing_ok=True)
        home.dvc(*line[1:], *(["--force"] if line[2] == "add" else []))
        public = (home.folder / ".dvc" / "config").read_text(encoding="utf-8")
        assert [name for name, value in private if name in public or value in public] == []
        assert home.git("status", "--porcelain", "--untracked-files=all", str(local)) == ""
