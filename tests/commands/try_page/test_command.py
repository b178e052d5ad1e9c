"""`babelshelf try` takes models, thresholds and rows from the pipeline's folders, and says what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from babelshelf.cli import main
from babelshelf.commands.try_page import command
from babelshelf.commands.try_page.command import trial
from babelshelf.commands.try_page.options import TryOptions
from babelshelf.core.errors import InputError
from babelshelf.core.rows import ROW_SCHEMA
from babelshelf.web import server
from tests.helpers.profiles import NANO
from tests.helpers.trial_data import train_rows

MODEL = Path("models/classifier/negatives/qc")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in which nothing has run."""
    shutil.copy(NANO, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_before_a_run_the_missing_model_is_named() -> None:
    with pytest.raises(InputError, match=f"{MODEL}: no such folder: run the stage"), trial(TryOptions("qc")):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (TryOptions("qc", models=(MODEL, MODEL, MODEL)), "--model: give one or two, not 3"),
        (
            TryOptions("qc", models=(MODEL,), calibrated=(MODEL, MODEL)),
            "--calibrated: give one for each --model at most",
        ),
    ],
)
def test_too_many_models_or_thresholds_are_refused(options: TryOptions, message: str) -> None:
    with pytest.raises(InputError, match=message), trial(options):
        pass


def test_without_nicegui_the_answer_is_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "find_spec", lambda name: None)
    result = CliRunner().invoke(main, ["try", "qc"])
    assert result.exit_code == 1
    assert "babelshelf try needs the package nicegui: pip install -e '.[pages]'" in result.output


def test_training_rows_say_who_changed_their_label(tmp_path: Path) -> None:
    rows = train_rows().select(ROW_SCHEMA.names())
    rows.write_parquet(tmp_path / "train.parquet")
    assert command.training_rows(tmp_path)["by"].null_count() == rows.height
    rows.filter(pl.col("id") == "r3").with_columns(by=pl.lit("judges")).write_parquet(tmp_path / "relabelled.parquet")
    found = command.training_rows(tmp_path)
    assert found["id"].equals(rows["id"])
    assert found.filter(pl.col("by").is_not_null()).select("id", "by").rows() == [("r3", "judges")]
