"""README and docs: the table of results belongs to the committed metrics, and paths, links and commands exist."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import tarfile
from pathlib import Path

import click
import pytest

from babelshelf.cli import main
from babelshelf.commands.show import with_results

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "docs" / "nano-report" / "report.md"  # written by a command
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted({*(ROOT / "docs").rglob("*.md")} - {REPORT})]
OF_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
PLACEHOLDERS = {"<task>": "qc", "<stage>": "sft", "<name>": "short", "<variant>": "negatives"}
FOLDERS = ("babelshelf/", "stages/", "tests/", "benchmarks/", "examples/", "prompts/", "profiles/", "docs/")


def _blocks(text: str) -> list[str]:
    """Commands of the shell blocks of a page, without comments."""
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL))
    lines = blocks.replace("\\\n", " ").splitlines()
    commands = (re.split(r"\s+#|^#", line)[0] for line in lines)
    return [part.strip() for command in commands for part in command.split("&&") if part.strip()]


def _anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as git hosts make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_results_are_those_of_the_committed_metrics(root: Path, tmp_path: Path) -> None:
    # of the last commit, not of the working tree: another machine's floats may differ in a digit after `make repro`
    command = ["git", "archive", "--format=tar", "HEAD", "README.md", "metrics"]
    archive = subprocess.run(command, cwd=root, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as committed:
        for member in committed:  # extractall warns without a filter, which Python has from 3.11.4 on
            if (content := committed.extractfile(member)) is not None:
                (tmp_path / member.name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / member.name).write_bytes(content.read())
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert with_results(readme, tmp_path / "metrics") == readme
    assert "| qc all |" in readme


def test_the_readme_is_short(root: Path) -> None:
    lines = (root / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 120] == []


@OF_PAGE
def test_the_files_of_the_repository_that_a_page_names_exist(page: Path) -> None:
    named = set(re.findall(r"`([\w./<>-]+)`", page.read_text(encoding="utf-8")))
    paths = {path for path in named if path.startswith(FOLDERS) or path in {"dvc.yaml", "params.yaml", "ladder.yaml"}}
    for placeholder, example in PLACEHOLDERS.items():
        paths = {path.replace(placeholder, example) for path in paths}
    assert {path for path in paths if "<" not in path and not (ROOT / path).exists()} == set()
    assert page.name != "README.md" or page.parent != ROOT or len(paths) > 15


@OF_PAGE
def test_links_lead_to_pages_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


@OF_PAGE
def test_commands_exist_with_their_options(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for command in _blocks(page.read_text(encoding="utf-8")):
        program, *arguments = shlex.split(command)
        if program == "make":
            assert not arguments or arguments[0] in targets | {".venv-vllm/installed"}, command
        elif Path(program).name == "babelshelf":
            known = main.commands[arguments[0]]
            context = click.Context(known)
            options = {name for parameter in known.get_params(context) for name in parameter.opts}
            assert {part.split("=")[0] for part in arguments if part.startswith("--")} <= options, command
        elif program == "python" and arguments[0] == "-m":
            module = ROOT / arguments[1].replace(".", "/")
            assert module.is_dir() or module.with_suffix(".py").is_file() or arguments[1] == "venv", command


def test_the_index_lists_every_page(root: Path) -> None:
    index = (root / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {str(page.relative_to(root / "docs")) for page in PAGES if page.is_relative_to(root / "docs")}
    assert {page for page in pages - {"README.md"} if f"]({page})" not in index} == set()


# Steps of the table in docs/results.md, and the titles of their rows in the report.
STEPS = {
    "translation": "+ translation",
    "translation of queries that are known to 30 %": "+ translation, 30 % of the words",
    "negatives": "+ negatives",
    "negatives, as many hard ones in train as in test": "+ negatives, 50 % hard negatives",
    "the default recipe": "the default recipe",
}


def test_the_gains_on_the_demo_are_those_of_the_report(root: Path) -> None:
    report = REPORT.read_text(encoding="utf-8").replace("\\", "")
    section = (root / "docs" / "results.md").read_text(encoding="utf-8").partition("## The data steps on the demo")[2]
    rows = re.findall(
        r"^\| (qc|qi): (.*?) \| .*? \| (\S.*?) \| (\S.*?) \|", section.partition("\n## ")[0], re.MULTILINE
    )
    assert len(rows) == 9
    for task, step, *gains in rows:
        title = STEPS.get(step, "+ negatives + filter" if task == "qc" else "+ filter")
        ladder = report.partition(f"### The ladder of {task}")[2].partition("\n### ")[0]
        found = "".join(line for line in ladder.splitlines() if line.startswith(f"| {title} |"))
        assert [gain for gain in gains if f"| {gain} |" not in found] == [], step
