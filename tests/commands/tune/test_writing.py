"""What a search chose is written with its reason; comments of the user stay, and nothing is written unasked."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from babelshelf.cli import main
from babelshelf.commands.tune import command
from babelshelf.commands.tune.calibrations import CalibrationGain
from babelshelf.commands.tune.gains import Estimate, StepGain
from babelshelf.commands.tune.recipe import Option, Recipe
from babelshelf.commands.tune.writing import Value, proposal, recipe_params, write
from babelshelf.core.params import read
from babelshelf.evaluate.bootstrap import Difference
from tests.helpers.profiles import NANO

TRANSLATION, NEGATIVES, FILTER = (Option(name, "", {}) for name in ("translation", "negatives", "filter"))
VALUES = {
    ("tasks", "qc", "train_on"): Value("original", "no step by itself showed a gain"),
    ("tasks", "qc", "mine_negatives", "rank_window"): Value([200, 1000], "+0.90 [+0.30, +1.50] AP"),
    ("tasks", "qc", "filter", "confidence", "at_least"): Value(0.9, "+0.10 [+0.01, +0.20] AP"),
}


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copy(NANO, tmp_path / "params.yaml"))


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ((), {"train_on": "original"}),
        ((TRANSLATION,), {"train_on": "translated"}),
        ((NEGATIVES,), {"train_on": "negatives", "negatives_on": "original"}),
        ((FILTER,), {"train_on": "filtered", "filter_on": "original"}),
        ((TRANSLATION, FILTER), {"train_on": "filtered", "filter_on": "translated"}),
        (
            (TRANSLATION, NEGATIVES, FILTER),
            {"train_on": "filtered", "negatives_on": "translated", "filter_on": "negatives"},
        ),
    ],
)
def test_the_recipe_is_a_chain_of_variants(recipe: Recipe, expected: dict[str, str]) -> None:
    assert recipe_params(recipe) == expected


def test_values_and_reasons_are_written_and_comments_stay(params: Path) -> None:
    before = params.read_text(encoding="utf-8")
    write(VALUES, params)
    text, values = params.read_text(encoding="utf-8"), read(params)
    assert values["tasks"]["qc"]["mine_negatives"]["rank_window"] == [200, 1000]
    assert values["tasks"]["qc"]["filter"]["confidence"]["at_least"] == 0.9
    comments = [line.partition("#")[2] for line in before.splitlines() if "#" in line]
    assert [comment for comment in comments if comment not in text] == []
    for value in VALUES.values():
        assert text.count(f"tune: {value.reason}") == 1


def test_a_second_run_replaces_the_reason(params: Path) -> None:
    write(VALUES, params)
    path = ("tasks", "qc", "train_on")
    write({path: Value("negatives", "another reason")}, params)
    text = params.read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if "another reason" in line)
    assert "train_on: negatives #" in line
    assert "no step by itself" not in line
    assert text.count("tune: ") == len(VALUES)


def gain(low: float, high: float, absent: tuple[float, float] | None = None) -> StepGain:
    def estimates(bounds: tuple[float, float]) -> dict[str, Estimate]:
        return {"average_precision": Estimate(sum(bounds) / 2, *bounds, smallest=0.1, before=0.8, after=0.8)}

    return StepGain("negatives", estimates((low, high)), estimates(absent) if absent else None, 1, 4)


@pytest.mark.parametrize(
    ("found", "evident"),
    [
        (gain(0.1, 0.2), True),
        (gain(-0.1, 0.2), False),
        (gain(-0.2, -0.1), False),
        (gain(-0.1, 0.2, (0.1, 0.3)), True),
        (gain(0.1, 0.2, (-0.3, -0.1)), False),
    ],
)
def test_a_step_is_evident_if_it_gains_somewhere_and_loses_nowhere(found: StepGain, evident: bool) -> None:
    assert found.is_evident is evident
    assert replace(found, chosen=0).is_evident is evident


def test_an_unknown_task_is_an_error_that_lists_the_tasks(params: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(params.parent)
    result = CliRunner().invoke(main, ["tune", "qz"])
    assert result.exit_code == 1
    assert "qz: no such task in params.yaml; there are qc, qi" in result.output


def test_without_a_terminal_nothing_is_written_unless_yes(
    params: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[Any] = []
    monkeypatch.setattr(command, "proposal", lambda _: VALUES)
    monkeypatch.setattr(command, "write", lambda values: written.append(values) or [])
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    command.offer({}, yes=False)
    assert not written
    assert "was not changed: there is no terminal" in capsys.readouterr().out
    command.offer({}, yes=True)
    assert written == [VALUES]


def calibrated(**intervals: tuple[float, float]) -> SimpleNamespace:
    """A result with gains of calibration methods."""
    gains = [CalibrationGain(name, Difference(sum(b) / 2, *b, 0.1), 0.8, 0.81) for name, b in intervals.items()]
    return SimpleNamespace(gains=[], recommended=(), steps={}, calibrations=gains)


@pytest.mark.parametrize(
    ("qc", "qi", "method"),
    [
        ({"logistic": (0.001, 0.02), "per_language": (0.001, 0.01)}, {"logistic": (0.002, 0.02)}, "logistic"),
        ({"logistic": (0.001, 0.02)}, {"per_language": (0.002, 0.02), "logistic": (-0.001, 0.1)}, "auto"),
        ({"logistic": (0.001, 0.02)}, {"logistic": (-0.001, 0.02)}, None),
        ({}, {}, None),
    ],
)
def test_a_calibration_method_is_written_if_every_task_gains_by_one(
    qc: dict[str, tuple[float, float]], qi: dict[str, tuple[float, float]], method: str | None, params: Path
) -> None:
    values = proposal({"qc": calibrated(**qc), "qi": calibrated(**qi)})  # type: ignore[dict-item]
    found = values.get(("calibrate", "method"))
    assert (found.value if found else None) == method
    if found:
        assert "qc: logistic +1.05 [+0.10, +2.00] F1" in found.reason
        write(values, params)
        assert read(params)["calibrate"]["method"] == method
