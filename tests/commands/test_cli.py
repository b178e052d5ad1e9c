"""The command line: what it prints, and that checking params waits for no heavy library."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from babelshelf.cli import main
from babelshelf.commands.show import BEGIN, END, markdown
from babelshelf.core.files import write_json
from babelshelf.evaluate.metric_names import HEADINGS
from tests.helpers.profiles import NANO

HEAVY = ("transformers", "sklearn", "rich", "accelerate")  # torch knows the GPUs; the source reads with polars


@pytest.fixture
def copy(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml and the profiles, as the working folder."""
    shutil.copy(NANO, tmp_path / "params.yaml")
    shutil.copytree(root / "profiles", tmp_path / "profiles")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def _write_results(metrics: Path) -> None:
    names = ("f1", "f1_low", "f1_high", "precision", "recall", "average_precision", "mcc", "all_yes_f1")
    scores = {name: 0.0101 * (index + 61) for index, name in enumerate(names)}
    values = dict.fromkeys(HEADINGS, 0.5) | scores
    evaluated = {"confidence": 0.95, "threshold": 0.375, "all": values, "in_train": values, "absent": values}
    write_json(metrics / "evaluate" / "qc.json", evaluated)
    write_json(metrics / "summarize.json", {"f1_average": 0.777, "tasks": {"qc": {}}})


@pytest.mark.usefixtures("copy")
def test_check_says_ok() -> None:
    result = _run("check")
    assert result.exit_code == 0
    note, ok = result.output.splitlines()
    assert note.startswith("check: translate.languages: whether de, it, pl, ar are in dev or test is not known before")
    assert ok == "params.yaml: ok"


def test_check_fails_with_the_mistake_alone(copy: Path) -> None:
    text = (copy / "params.yaml").read_text(encoding="utf-8")
    (copy / "params.yaml").write_text(text.replace("seed: 1", "seed: one"), encoding="utf-8")
    result = _run("check")
    expected = "Error: params.yaml: seed: expected an integer >= 0, found 'one'\n"
    assert (result.exit_code, result.output) == (1, expected)


@pytest.mark.usefixtures("copy")
def test_check_names_a_folder_that_is_not_there() -> None:
    assert _run("profile", "taxonomy").exit_code == 0
    result = _run("check")
    assert result.exit_code == 1
    assert "params.yaml: prepare.input.qc: data/taxonomy: no such file or folder: correct the path" in result.output


def test_check_names_the_encoder_that_is_meant(copy: Path) -> None:
    text = (copy / "params.yaml").read_text(encoding="utf-8")
    (copy / "params.yaml").write_text(text.replace("use_multilingual", "use-multilingual"), encoding="utf-8")
    assert "did you mean the built-in encoder use_multilingual?" in _run("check").output


@pytest.mark.usefixtures("copy")
def test_check_imports_no_heavy_library(root: Path) -> None:
    program = "import sys; from babelshelf.cli import main; main(['check'], standalone_mode=False); print(*sys.modules)"
    run = partial(
        subprocess.run, env=os.environ | {"PYTHONPATH": str(root)}, check=True, capture_output=True, text=True
    )
    loaded = run([sys.executable, "-c", program]).stdout.split()
    assert "babelshelf.sft.params" in loaded
    assert set(HEAVY) & set(loaded) == set()


def test_profile_says_what_it_changed(copy: Path) -> None:
    (copy / "profiles" / "other.yaml").write_text("seed: 1234\n", encoding="utf-8")
    assert _run("profile", "other").output == "seed: 1 -> 1234\n"
    assert "seed: 1234" in (copy / "params.yaml").read_text(encoding="utf-8")
    assert _run("profile", "other").output == "params.yaml is as profile other has it\n"


@pytest.mark.usefixtures("copy")
def test_show_without_results_says_what_to_run() -> None:
    result = _run("show")
    assert result.exit_code == 1
    assert result.output == "Error: metrics/summarize.json: no such file; run `dvc repro summarize`\n"


@pytest.mark.parametrize("seeds", ["1,-2", "1,x", "1,,2", "1.5"])
def test_a_seed_that_is_no_whole_number_is_refused(seeds: str) -> None:
    result = _run("ladder", "--seeds", seeds)
    assert result.exit_code == 2
    assert f"expected whole numbers, none negative, with commas between them, found '{seeds}'" in result.output


def test_report_begins_with_a_check_of_the_params(copy: Path) -> None:
    params = (copy / "params.yaml").read_text()
    (copy / "params.yaml").write_text(params.replace("reliability_bins: 10", "reliability_bins: ten"))
    result = _run("report")
    assert result.exit_code == 1
    assert "params.yaml: evaluate.reliability_bins: " in result.output


def test_readme_gets_the_results_between_its_markers(copy: Path) -> None:
    _write_results(copy / "metrics")
    (copy / "README.md").write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nThe end.\n", encoding="utf-8")
    assert _run("readme").exit_code == 0
    text = (copy / "README.md").read_text(encoding="utf-8")
    assert text == f"# Title\n\n{BEGIN}\n\n{markdown(copy / 'metrics')}\n\n{END}\n\nThe end.\n"


def test_show_fits_the_80_columns_of_a_log(copy: Path) -> None:
    _write_results(copy / "metrics")
    output = _run("show").output
    assert "…" not in output
    for text in ("61.6", "62.6", "63.6", "68.7", "0.375", "absent", "F1 average: 77.7"):
        assert text in output
