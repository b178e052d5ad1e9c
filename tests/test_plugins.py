"""A new file in one of the three packages of plugins is a source or backend: each is run through its stage.

Each test copies the package, adds one file, sets the params that choose it, and touches nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

from babelshelf.core.rows import ROW_SCHEMA, read_rows, read_table, write_rows, write_table
from tests.helpers.workspace import Workspace, copy_sources

TRANSLATOR = '''
"""Shouts: the query in capital letters, with the target's code."""

from __future__ import annotations

from pydantic import Field

from babelshelf.core.params import Section
from babelshelf.llm.requirements import Package
from babelshelf.translate.translator import Translation

SECTION = """
mark: "!" # at the end
"""


class Params(Section):
    mark: str = Field(min_length=1)


def requirements(settings):
    yield Package("no_such_package" if settings.own(Params).mark == "?" else "json", "pip install shouting")


def load(settings, glossary):
    return Shouting(settings.own(Params).mark)


class Shouting:
    counts = {"capitals": 26}
    limits_length = False

    def __init__(self, mark):
        self.identity = f"shouting{mark}"
        self.mark = mark

    def translate(self, texts, source, target):
        return [Translation(f"{text.upper()} {target}{self.mark}") for text in texts]

    def close(self):
        pass
'''

SOURCE = '''
"""Numbers: pairs of a number and what it is a multiple of."""

from __future__ import annotations

from babelshelf.core.params import Section
from babelshelf.prepare.from_pairs import Pairs, of_pairs, read_rows
from babelshelf.prepare.sources import files

TASKS = ("qi",)
SECTION = """
column: title # of the candidates
"""


class Params(Section):
    column: str


def read(inputs, settings, seed):
    own = files.usual()
    task = own.qi.model_copy(update={"columns": own.qi.columns.model_copy(update={"candidate": settings.column})})
    own = own.model_copy(update={"tasks": ["qi"], "qi": task})
    return of_pairs(Pairs(read_rows(inputs, own), own), seed)
'''

SCORER = '''
"""Length: the longer the query, the likelier."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import polars as pl


def load(base, model, settings):
    return nullcontext(Length())


class Length:
    chunk = 2

    def encode(self, rows):
        return rows.select(pl.concat_list(pl.col("query").str.len_chars().cast(pl.Int32))).to_series()

    def order(self, prompts):
        return np.arange(len(prompts))

    def score(self, prompts):
        return 1 - 1 / prompts.list.first().to_numpy()
'''


def rows(count: int = 8) -> pl.DataFrame:
    values = [
        (f"r{n}", "qi", "en", f"query {'x' * n}", f"item {n}", n % 2, "original", None, f"g{n}") for n in range(count)
    ]
    return pl.DataFrame(values, schema=ROW_SCHEMA, orient="row")


@pytest.fixture
def workspace(root: Path, tmp_path: Path) -> Workspace:
    """A copy of the sources with their params."""
    found = Workspace(tmp_path / "workspace", tmp_path / "dvc")
    copy_sources(root, found.folder)
    return found


def add(workspace: Workspace, file: str, text: str) -> None:
    path = workspace.folder / "babelshelf" / file
    assert not path.exists()
    path.write_text(text.lstrip(), encoding="utf-8")


def call(workspace: Workspace, module: str, *arguments: str) -> tuple[int, str]:
    return workspace.run(sys.executable, "-m", module, *arguments)


def stage(workspace: Workspace, name: str, *arguments: str) -> None:
    code, output = call(workspace, f"stages.{name}", *arguments)
    assert code == 0, output


def test_a_new_translation_backend_is_one_file(workspace: Workspace) -> None:
    add(workspace, "translate/backends/shouting.py", TRANSLATOR)
    code, output = call(workspace, "babelshelf.cli", "profile")
    assert code == 0
    assert "shouting      Shouts: the query in capital letters, with the target's code." in output
    code, output = call(workspace, "babelshelf.cli", "profile", "translate.shouting")
    assert code == 0, output
    workspace.set_params("translate: {languages: [de], shouting: {mark: '!!'}}")
    write_rows(workspace.folder / "train.parquet", rows())
    write_table(workspace.folder / "held_out.parquet", pl.DataFrame({"key": ["none"]}))
    paths = ("--train", "train.parquet", "--held-out", "held_out.parquet", "--glossary", "none")
    outs = ("--out", "out", "--metrics", "metrics.json")
    stage(workspace, "translate", "qi", *paths, *outs)
    made = read_rows(workspace.folder / "out" / "train.parquet").filter(origin="translated")
    assert sorted(made["query"]) == sorted(f"QUERY {'X' * n}".strip() + " de!!" for n in range(8))
    workspace.set_params("translate: {shouting: {mark: '?'}}")
    code, output = call(workspace, "stages.translate", "qi", *paths, *outs)
    assert code != 0
    assert "translate.backend: no_such_package needs a package: pip install shouting" in output


def test_a_new_source_is_one_file(workspace: Workspace) -> None:
    add(workspace, "prepare/sources/numbers.py", SOURCE)
    data = [
        {"query": f"number {n}", "title": f"multiple of {d}", "label": int(n % d == 0), "language": "en"}
        for n in range(60)
        for d in (2, 3)
    ]
    pl.DataFrame(data).write_csv(workspace.folder / "numbers.csv")
    workspace.set_params("{prepare: {input: {qc: numbers.csv, qi: numbers.csv}}, tasks: {qc: null}}")
    code, output = call(workspace, "babelshelf.cli", "profile", "prepare.numbers")
    assert code == 0, output
    paths = ("--qc", "numbers.csv", "--qi", "numbers.csv", "--original", "original", "--catalogue", "catalogue")
    stage(workspace, "prepare", *paths, "--metrics", "metrics.json")
    parts = [read_rows(workspace.folder / "original" / "qi" / f"{split}.parquet") for split in ("train", "dev", "test")]
    assert sum(part.height for part in parts) == len(data)
    assert {row["candidate"] for part in parts for row in part.to_dicts()} == {"multiple of 2", "multiple of 3"}


def test_a_new_scoring_backend_is_one_file(workspace: Workspace) -> None:
    add(workspace, "score/backends/length.py", SCORER)
    workspace.set_params("score: {backend: length}")
    for folder in ("base", "model", "trained_on"):
        (workspace.folder / folder).mkdir()
    (workspace.folder / "model" / "prompt.json").write_text("{}", encoding="utf-8")
    write_rows(workspace.folder / "dev.parquet", rows(5))
    write_rows(workspace.folder / "test.parquet", rows(8))
    inputs = ("--dev", "dev.parquet", "--test", "test.parquet", "--trained-on", "trained_on", "--base", "base")
    stage(workspace, "score", "qi", *inputs, "--model", "model", "--out", "out")
    scored = read_table(workspace.folder / "out" / "test.parquet")
    assert scored["p_yes"].to_list() == [1 - 1 / len(query) for query in rows(8)["query"]]
