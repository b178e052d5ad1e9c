"""Copies of the repository on the tiny setting, each with a DVC repository of its own, and DVC and git run in them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from babelshelf.commands import profile
from babelshelf.core.files import ROOT_VARIABLE
from babelshelf.core.params import read
from tests.helpers.profiles import NANO

MINUTES = 60.0
DVC = (sys.executable, "-m", "dvc")


def stages_run(output: str) -> list[str]:
    """Names of the stages that a `dvc repro` with this output ran, in their order."""
    return re.findall(r"^Running stage '([^']+)'", output, flags=re.MULTILINE)


class Workspace:
    """A copy of the repository with a DVC repository of its own."""

    def __init__(self, folder: Path, site_cache: Path) -> None:
        self.folder = folder
        inherited = {name: value for name, value in os.environ.items() if name not in {"DVC_ROOT", ROOT_VARIABLE}}
        self.environment = inherited | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # stages run as `python -m ...`
            "DVC_SITE_CACHE_DIR": str(site_cache),
        }

    def copy(self, folder: Path) -> Workspace:
        """The same state at another place."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Workspace(folder, Path(self.environment["DVC_SITE_CACHE_DIR"]))

    def call(self, *command: str) -> subprocess.Popen[str]:
        """A command in a process group of its own."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def run(self, *command: str) -> tuple[int, str]:
        """Exit code and output of a command."""
        process = self.call(*command)
        output, _ = process.communicate(timeout=20 * MINUTES)
        return process.returncode, output

    def git(self, *arguments: str) -> str:
        """What a git command that must succeed prints."""
        code, output = self.run("git", *arguments)
        assert code == 0, output
        return output

    def dvc(self, *arguments: str) -> str:
        """What a DVC command that must succeed prints."""
        code, output = self.run(*DVC, *arguments)
        assert code == 0, output
        return output

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`dvc repro` in a process group of its own."""
        return self.call(*DVC, "repro", "--no-run-cache", *arguments)

    def failing(self, *arguments: str) -> str:
        """What a `dvc repro` that must fail prints."""
        code, output = self.run(*DVC, "repro", "--no-run-cache", *arguments)
        assert code != 0, output
        return output

    def repro(self, *arguments: str) -> list[str]:
        """Names of the stages that `dvc repro` ran, in their order."""
        return stages_run(self.dvc("repro", "--no-run-cache", *arguments))

    def set_params(self, overlay: str) -> None:
        """Merge YAML text into params.yaml."""
        params = profile.round_trip(self.folder / "params.yaml")
        values = YAML().load(overlay)
        for plugins in profile.PLUGINS:
            profile.with_sections(params, values, plugins)
        profile.merge(params, values)
        YAML().dump(params, self.folder / "params.yaml")

    def append(self, file: str, text: str) -> None:
        """Add text to the end of a file."""
        with (self.folder / file).open("a", encoding="utf-8") as stream:
            stream.write(text)

    def lock(self) -> dict[str, dict[str, object]]:
        """The stages of dvc.lock: commands, params, and the hashes of deps and outs."""
        stages: dict[str, dict[str, object]] = read(self.folder / "dvc.lock")["stages"]
        return stages

    def forget(self, stage: str) -> None:
        """As if `stage` had never run: DVC would take its outs from the cache, were they only missing."""
        lock = read(self.folder / "dvc.lock")
        del lock["stages"][stage]
        for out in self.outs(stage):
            if out.is_dir():
                shutil.rmtree(out)
            else:
                out.unlink()
        YAML().dump(lock, self.folder / "dvc.lock")

    def outs(self, stage: str) -> list[Path]:
        """Paths of what a stage writes."""
        return [self.folder / out["path"] for out in self.lock()[stage]["outs"]]  # type: ignore[attr-defined]

    def metrics(self) -> dict[str, bytes]:
        """All files of metrics/."""
        files = sorted(file for file in (self.folder / "metrics").rglob("*") if file.is_file())
        return {str(file.relative_to(self.folder)): file.read_bytes() for file in files}


def copy_sources(root: Path, folder: Path) -> None:
    """What a commit of the working tree would have, without results: a run may be writing them just now."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in names:
        source = root / name
        made = name.startswith((".dvc/", "metrics/", "models/", "data/")) and not name.startswith("data/demo/")
        if source.is_file() and name != "dvc.lock" and not made:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    shutil.copy2(NANO, folder / "params.yaml")  # not a user's
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run([*DVC, "init", "--quiet", "--force"], cwd=folder, check=True)


def score_in_small_chunks(module: Path) -> None:
    """So that a kill finds `score` between two of them: the tiny setting has fewer pairs than one usual chunk."""
    text, replaced = re.subn(r"^CHUNK = \d+", "CHUNK = 16", module.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert replaced == 1
    module.write_text(text, encoding="utf-8")
