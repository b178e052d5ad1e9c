"""What `babelshelf init` says of rows before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from babelshelf.commands.init.expectations import duration, expectations, smallest_gain
from babelshelf.core.params import read
from babelshelf.preflight.machine import Machine


def rows(groups: int, *, per_group: int = 2, language: str = "en", split: str = "test") -> pl.DataFrame:
    count = groups * per_group
    return pl.DataFrame(
        {
            "task": ["qi"] * count,
            "language": [language] * count,
            "split": [split] * count,
            "label": [n % 2 for n in range(count)],
            "key": [f"{language} {split} {n // per_group}" for n in range(count)],
            "candidate": [f"item {n % 50}" for n in range(count)],
        }
    )


class FakeMachine(Machine):
    """A machine with these GPUs, in bytes of memory."""

    def __init__(self, gpus: list[int]) -> None:
        self._gpus = gpus

    @property
    def gpus(self) -> list[int]:  # type: ignore[override]
        return self._gpus


@pytest.fixture
def params(root: Path) -> dict[str, Any]:
    return read(root / "profiles" / "nano.yaml")


def test_four_times_the_groups_show_half_the_gain() -> None:
    few, many = smallest_gain(rows(250)), smallest_gain(rows(1000))
    assert few / many == pytest.approx(2, rel=0.15)


def test_the_gain_of_more_groups_than_are_simulated_follows_the_root_of_their_number() -> None:
    assert smallest_gain(rows(4000)) / smallest_gain(rows(16_000)) == pytest.approx(2, rel=0.15)


def test_the_gain_has_the_size_that_theory_says() -> None:
    # one row a group, half relevant, 85 % right: F1 = 0.85. A row that only the first model answers right moves the
    # difference by (2 - F1) / (2 TP + FP + FN) where it is relevant (a true positive for a false negative), and by
    # F1 / (2 TP + FP + FN) where it is not; with n rows the denominator is n, and 10 % of the rows move it.
    n, f1 = 2000, 0.85
    variance = 0.1 * n * (0.5 * (2 - f1) ** 2 + 0.5 * f1**2) / n**2
    assert smallest_gain(rows(n, per_group=1)) == pytest.approx(100 * 2.8 * variance**0.5, rel=0.1)


def test_no_rows_show_nothing() -> None:
    assert smallest_gain(rows(0)) != smallest_gain(rows(0))  # NaN


def test_rows_by_language_and_split_and_languages_without_labels(params: dict[str, Any]) -> None:
    parts = [rows(100, split=split) for split in ("train", "dev", "test")]
    parts += [rows(20, language="de", split=split) for split in ("dev", "test")]
    lines = expectations(pl.concat(parts), params, FakeMachine([]))
    table = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("      ")}
    assert table == {"en": ["200", "200", "200"], "de": ["0", "40", "40"]}
    text = "\n".join(lines)
    assert "without labels in train: de" in text
    assert "50% relevant, 50 candidates" in text
    assert "(240 rows, 120 query groups)" in text


@pytest.mark.parametrize(
    ("gpus", "profile"), [([], "small"), ([24 << 30], "small"), ([80 << 30], "paper"), ([24 << 30] * 4, "paper")]
)
def test_the_built_in_base_is_told_with_the_profile_that_suits(
    params: dict[str, Any], gpus: list[int], profile: str
) -> None:
    text = "\n".join(expectations(rows(20, split="train"), params, FakeMachine(gpus)))
    assert "knows no words" not in text
    assert f"`babelshelf profile {profile}`" in text
    params["tasks"]["qi"]["method"] = "sft"
    text = "\n".join(expectations(rows(20, split="train"), params, FakeMachine(gpus)))
    assert "check: qi: the built-in LM knows no words but those of your own rows" in text
    params["base_model"]["lm"]["model"] = "Qwen/Qwen3-0.6B-Base"
    assert "knows no words" not in "\n".join(expectations(rows(20, split="train"), params, FakeMachine(gpus)))


@pytest.mark.parametrize(
    ("seconds", "expected"), [(3, "10 s"), (88, "90 s"), (300, "5 min"), (7300, "2 h"), (864_000, "10 days")]
)
def test_durations_are_rounded(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected
