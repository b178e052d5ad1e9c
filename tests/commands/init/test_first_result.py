"""The classifier's result on a user's own pairs, with which `init` ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from babelshelf.commands.init.first_result import SHARES, first_result, sample, texts_per_second
from babelshelf.core.params import read
from babelshelf.encoder.encoder import FloatArray

COLOURS = ["red", "blue", "green", "black", "white", "brown"]


class Words:
    """An encoder whose vector of a text says which words it has."""

    name, dimension, identity, languages = "words", 16, "0", frozenset({"en", "de"})

    def encode(self, texts: Sequence[str], prompt: str = "") -> FloatArray:
        """Unit vectors."""
        vectors = np.full((len(texts), self.dimension), 0.01, np.float32)
        for row, text in enumerate(texts):
            for place, colour in enumerate(COLOURS):
                vectors[row, place] += colour in text.split()
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def pairs(count: int, *, learnable: bool = True) -> pl.DataFrame:
    """Relevant where both texts have the same colour; some rows of dev and test are in a language of their own."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        group = number // 4
        split = ("train", "train", "dev", "test")[group % 4]
        language = "it" if split != "train" and group % 8 > 3 else ("en", "de")[group % 2]
        asked, offered = COLOURS[group % 6], COLOURS[int(rng.integers(6))]
        offered = asked if number % 2 else offered
        label = int(asked == offered) if learnable else int(rng.integers(2))
        query, candidate = f"{asked} shoes {group}", f"{offered} item {number % 60}"
        rows.append({"query": query, "candidate": candidate, "label": label, "language": language, "split": split})
    return pl.DataFrame(rows).with_columns(key="query", task=pl.lit("qi"), label=pl.col("label").cast(pl.Int8))


@pytest.fixture
def params(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    return read(root / "profiles" / "nano.yaml")


def table(lines: list[str]) -> dict[str, list[str]]:
    """Name of the row, and its cells."""
    return {line.split()[0]: line.split()[1:] for line in lines if line.startswith("      ") and "F1" not in line}


def test_what_can_be_learned_is_shown_beside_all_yes_by_language(params: dict[str, Any]) -> None:
    rows = pairs(1600).with_columns(
        language=pl.when(pl.int_range(pl.len()) < 8).then(pl.lit("fi")).otherwise("language")
    )
    lines = list(first_result(rows, params, Words()))
    found = table(lines)
    f1, all_yes, precision, chance, count = (float(cell) for cell in found["all"][:5])
    assert count == 400
    assert f1 > all_yes + 10
    assert precision > chance + 20
    assert found["it"][5:] == ["absent", "from", "train,", "unknown", "to", "the", "encoder"]
    assert found["de"][5:] == []
    assert lines[-2].endswith("languages with fewer rows that are unknown to the encoder: fi")
    assert "words, 800 rows of train" in lines[0]
    assert "time of `make repro` here" in lines[-1]


def test_what_can_not_be_learned_has_the_precision_of_chance(params: dict[str, Any]) -> None:
    found = table(list(first_result(pairs(1600, learnable=False), params, Words())))
    _, _, precision, chance, _ = (float(cell) for cell in found["all"][:5])
    assert abs(precision - chance) < 10


def test_too_few_rows_give_no_result_but_a_line(params: dict[str, Any]) -> None:
    lines = list(first_result(pairs(8), params, Words()))
    assert lines[0] == "  qi: no first result: the rows are too few"


@pytest.mark.parametrize(("texts", "most"), [(200, 20_000), (10_000, 400), (10_000, 20_000)])
def test_a_sample_keeps_its_limits(texts: int, most: int) -> None:
    rows = pairs(1600)
    found = sample(rows, texts, 0, most)
    assert found.height <= most
    for split, share in SHARES.items():
        part = found.filter(split=split)
        assert 0 < part.height <= share * most
        assert part["query"].n_unique() + part["candidate"].n_unique() <= share * texts
    assert sample(rows, texts, 0, most).equals(found)
    assert texts < 10_000 or most < 20_000 or found.height == rows.height


def test_the_speed_of_the_encoder_is_measured() -> None:
    assert texts_per_second(pairs(200), Words()) > 0
