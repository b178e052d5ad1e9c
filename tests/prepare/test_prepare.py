"""The stage `prepare`: what it writes for each source, and that nothing is written when a check fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from babelshelf.core.files import read_json
from babelshelf.core.params import read as read_params
from babelshelf.core.rows import read_rows
from babelshelf.prepare.leak_checks import all_rows
from babelshelf.prepare.marketplace import Marketplace
from babelshelf.prepare.sources import taxonomy
from babelshelf.text.keys import key
from babelshelf.translate.backends.lexicon import read_glossary
from stages.prepare import main
from tests.helpers.profiles import NANO
from tests.helpers.taxonomy_folder import SETTINGS, write_tree

Prepare = Callable[..., Result]


@pytest.fixture
def prepare(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """Runs the stage in an empty folder, on the repository's params with `changes` to the section `prepare`."""
    monkeypatch.chdir(tmp_path)
    values = read_params(NANO)
    write_tree(tmp_path / "tree")

    def run(out: str = "data", **changes: Any) -> Result:  # noqa: ANN401 - whatever YAML holds
        values["prepare"] |= {"source": "taxonomy", "taxonomy": SETTINGS} | changes
        YAML(typ="safe", pure=True).dump(values, Path("params.yaml"))
        folder = str(root / "data/demo") if values["prepare"]["source"] == "demo" else "tree"
        paths = ["--original", f"{out}/original", "--catalogue", f"{out}/catalogue", "--metrics", f"{out}/metrics.json"]
        return CliRunner().invoke(main, ["--qc", folder, "--qi", folder, *paths])

    return run


def files(folder: str) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_taxonomy_writes_the_whole_contract(prepare: Prepare) -> None:
    result = prepare()
    assert result.exit_code == 0, result.output
    assert sorted(files("data")) == [
        "catalogue/glossary.tsv",
        "catalogue/held_out.parquet",
        "catalogue/qc.parquet",
        "catalogue/text.parquet",
        "metrics.json",
        "original/qc/dev.parquet",
        "original/qc/test.parquet",
        "original/qc/train.parquet",
        "original/qc/truth/candidates.parquet",
        "original/qc/truth/groups.parquet",
        "original/qc/unlabelled.parquet",
    ]
    held_out = pl.read_parquet("data/catalogue/held_out.parquet")["key"].to_list()
    queries = [read_rows(Path(f"data/original/qc/{split}.parquet"))["query"] for split in ("dev", "test")]
    assert held_out == sorted({key(query) for query in pl.concat(queries)})
    assert pl.read_parquet("data/catalogue/text.parquet").columns == ["text", "language", "kind"]
    assert pl.read_parquet("data/catalogue/qc.parquet").columns == ["candidate", "in_train"]
    assert read_glossary(Path("data/catalogue/glossary.tsv")).languages == ["en", "fr", "de", "pt"]
    metrics = read_json(Path("data/metrics.json"))
    assert metrics["qc"]["train"]["rows"] == 100
    assert metrics["qc"]["train"]["noise_share"] == 0
    assert metrics["left_out"] == {"ambiguous_names": 0}


def test_same_params_give_the_same_bytes(prepare: Prepare) -> None:
    prepare("one")
    prepare("two")
    assert files("one") == files("two")


def test_demo_writes_both_tasks(prepare: Prepare, root: Path) -> None:
    demo = read_params(NANO)["prepare"]["demo"]
    small = demo | {"rows_train": {"qc": 200, "qi": 200}, "rows_dev": 20, "rows_test": 20}
    result = prepare(source="demo", demo=small)
    assert result.exit_code == 0, result.output
    metrics = read_json(Path("data/metrics.json"))
    assert [metrics[task]["train"]["rows"] for task in ("qc", "qi")] == [200, 200]
    assert [len(metrics[task]["test"]["languages"]) for task in ("qc", "qi")] == [10, 13]
    assert Path("data/original/qi/truth/groups.parquet").is_file()
    assert not Path("data/catalogue/glossary.tsv").exists()


def test_unknown_source_is_an_error_before_any_work(prepare: Prepare) -> None:
    result = prepare(source="bazaar")
    assert result.exit_code == 1
    assert "\nError: params.yaml: prepare.source: Input should be 'demo', 'taxonomy', 'files', " in result.output
    assert not Path("data").exists()


def test_missing_folder_is_an_error(prepare: Prepare) -> None:
    Path("tree").rename("elsewhere")
    result = prepare()
    assert result.exit_code == 1
    assert "\nError: tree: no such folder" in result.output


def test_a_leak_is_an_error_and_nothing_is_written(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = taxonomy.read

    def leaky(*arguments: Any) -> Marketplace:  # noqa: ANN401 - passed on
        marketplace = sound(*arguments)
        data = marketplace.tasks["qc"]
        query = all_rows(marketplace).filter(split="test")["query"][0]
        first = pl.int_range(pl.len()) == 0
        train = data.train.with_columns(query=pl.when(first).then(pl.lit(query.upper())).otherwise("query"))
        return replace(marketplace, tasks={"qc": replace(data, train=train)})

    monkeypatch.setattr(taxonomy, "read", leaky)
    result = prepare()
    assert result.exit_code == 1
    assert "dev or test rows whose query is also in train (a train/test leak): 'qc-test-" in result.output
    assert not Path("data").exists()


def test_profile_taxonomy_is_an_overlay_of_params(root: Path) -> None:
    profile = read_params(root / "profiles" / "taxonomy.yaml")
    values = read_params(NANO)
    assert profile["prepare"].keys() <= values["prepare"].keys()
    assert profile["translate"].keys() <= values["translate"].keys()
    assert "ar" not in profile["translate"]["languages"]  # the tree has no Arabic, so the glossary hasn't
    assert profile["tasks"]["qi"] is None
