"""A DVC repository of shell commands that take no time: three stages to `summarize`, and one that it does not need."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from babelshelf.commands.ladder.rows import Experiment, LadderRow
from babelshelf.commands.ladder.runner import LadderOutcome, run_experiments

DVC_YAML = """
stages:
  prepare:
    cmd: mkdir -p data && cat kept.txt '[own].txt' new/* ../beside.txt {outside} > data/rows && echo prepare >> {runs}
    deps: [kept.txt, '[own].txt', new, ../beside.txt, {outside}]
    outs: [data/rows]
  train:
    cmd: >-
      echo train >> {runs} && while [ ! -e {go} ]; do sleep 0.05; done && mkdir -p metrics && cp data/rows data/model &&
      echo ${{seed}} >> data/model && echo {{}} > metrics/train.json && echo "$BABELSHELF_ROOT" > {root}
    deps: [data/rows]
    params: [seed, f1]
    outs: [data/model]
    metrics: [metrics/train.json: {{cache: false}}]
  summarize:
    cmd: >-
      if [ ${{f1}} = 9 ]; then echo 'Error: F1 is 9'; exit 1; fi &&
      echo '{{"tasks":{{"qc":{{"f1":0.${{f1}}}}}}}}' > metrics/summarize.json && echo summarize >> {runs}
    deps: [data/model, metrics/train.json]
    metrics: [metrics/summarize.json: {{cache: false}}]
  other:
    cmd: mkdir -p metrics && echo {{}} > metrics/other.json && mkdir -p data && echo 1 > data/other
    outs: [data/other]
    metrics: [metrics/other.json: {{cache: false}}]
"""


@dataclass(frozen=True)
class ToyPipeline:
    """The repository; beside it, `runs` has a line for each stage that ran, and `go` lets the stage train end."""

    folder: Path
    runs: Path
    go: Path

    def git(self, *arguments: str) -> str:
        """What git prints."""
        return self.command("git", "-c", "user.name=a", "-c", "user.email=a@localhost", *arguments)

    def command(self, *arguments: str) -> str:
        """What a command prints."""
        return subprocess.run(arguments, cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def counts(self) -> dict[str, int]:
        """How often each stage ran."""
        return dict(Counter(self.runs.read_text().split()) if self.runs.exists() else {})

    def ref(self, name: str) -> str:
        """Where DVC keeps an experiment of HEAD."""
        head = self.git("rev-parse", "HEAD").strip()
        return f"refs/exps/{head[:2]}/{head[2:]}/{name}"

    def show(self, name: str, path: str) -> str:
        """The text of a file of an experiment."""
        return self.git("show", f"{self.ref(name)}:{path}")

    def trees(self) -> dict[str, str]:
        """All that each experiment of HEAD holds, as git names its content."""
        listed = self.git("for-each-ref", "--format=%(refname:lstrip=4) %(tree)", self.ref("")).splitlines()
        return dict(line.split() for line in listed)

    def state(self) -> dict[str, bytes]:
        """All files but what DVC keeps under .dvc, git's objects and experiments, and the logs."""
        ignored = (".dvc/cache/", ".dvc/tmp/", ".git/objects/", ".git/refs/exps/", ".cache/")
        names = {file.relative_to(self.folder).as_posix(): file for file in self.folder.rglob("*") if file.is_file()}
        return {name: file.read_bytes() for name, file in names.items() if not name.startswith(ignored)}


def create(folder: Path) -> ToyPipeline:
    """The repository with one commit, two inputs that git does not know, and two outside of the repository."""
    pipeline = ToyPipeline(folder / "repository", folder / "runs", folder / "go")
    pipeline.go.touch()
    (pipeline.folder / "new").mkdir(parents=True)
    (pipeline.folder / "new" / "a.txt").write_text("new\n")
    (folder / "outside.txt").write_text("outside\n")
    (folder / "beside.txt").write_text("beside\n")
    places = {"outside": folder / "outside.txt", "runs": pipeline.runs, "go": pipeline.go, "root": folder / "root"}
    files = {
        "kept.txt": "kept\n",
        "deleted.txt": "deleted\n",
        "dvc.yaml": DVC_YAML.format(**places),
        "params.yaml": "seed: 1 # a comment\nf1: 1\n",
        ".gitignore": "/data/\n/new/\n/.cache/\n",
    }
    for name, text in files.items():
        (pipeline.folder / name).write_text(text)
    pipeline.git("init", "--quiet")
    pipeline.command(sys.executable, "-m", "dvc", "init", "--quiet")
    (pipeline.folder / "metrics").mkdir()
    (pipeline.folder / "metrics" / "other.json").write_text("{}\n")
    pipeline.git("add", "--all")
    pipeline.git("commit", "--quiet", "-m", "start")
    (pipeline.folder / "[own].txt").write_text("own\n")
    return pipeline


def experiment(f1: int, seed: int = 1) -> Experiment:
    """An experiment that sets the param `f1` to a tenth; 9 fails."""
    row = LadderRow(name=f"f{f1}", title=f"+ {f1}", tasks=["qc"], set={"f1": f1}, seeds=[seed])
    return Experiment(f"f{f1}-seed{seed}", row, seed, {"seed": seed, "f1": f1})


def run(experiments: Sequence[Experiment], jobs: int = 1) -> tuple[LadderOutcome, str]:
    """Run the experiments in the working directory; the outcome and what was printed."""
    console = Console(record=True, width=200, file=Path("/dev/null").open("w"))  # noqa: SIM115
    outcome = run_experiments(experiments, [], jobs, console)
    return outcome, console.export_text()


if __name__ == "__main__":
    run([experiment(int(f1)) for f1 in sys.argv[1:]])
