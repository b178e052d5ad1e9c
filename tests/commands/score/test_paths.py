"""`babelshelf score`: category paths in another form than those of the training data."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from babelshelf.commands.score.pairs_to_score import ScoreOptions, find
from babelshelf.commands.score.scoring import FileCheck, check_file, path_warnings
from babelshelf.prepare.sources.files import usual

PATHS = [
    "Home & Garden{0}Lamps{0}Red Lamps",
    "Home & Garden{0}Chairs",
    "TV/Audio{0}Radios",
    "TV/Audio{0}Screens{0}Small",
]


def pair_file(folder: Path, paths: list[str], trained: str, said: str | None = None) -> tuple[list[str], FileCheck]:
    """The lines for the user, and what is found in a file of these candidates."""
    rows = pl.DataFrame({"query": [f"lamp {n}" for n in range(len(paths))], "candidate": paths})
    rows.write_csv(folder / "pairs.csv")
    asked = ScoreOptions({}, "en", {}, (), said, trained)
    found = find(folder / "pairs.csv", "qc", asked, usual())
    return found.summary_lines(), check_file(found, lambda rows: pl.Series([False] * rows.height), 0)


@pytest.mark.parametrize("mark", [" / ", " | ", ">>", " → ", "::"])
@pytest.mark.parametrize("trained", ["|", "", ">"])  # "": of the source mixed or a published data set
def test_the_separator_is_found_in_the_file(tmp_path: Path, mark: str, trained: str) -> None:
    paths = [path.format(mark) for path in PATHS] * 5
    lines, checked = pair_file(tmp_path, paths, trained)
    assert checked.paths == checked.rows == 20
    assert path_warnings(checked, 1.0) == []
    assert any(mark.strip() in line for line in lines if "separator" in line)


def test_candidates_without_levels_are_told_where_training_had_levels(tmp_path: Path) -> None:
    lines, checked = pair_file(tmp_path, ["Red Lamps", "Chairs", "Radios", "Screens"], "|")
    assert any("no levels found" in line for line in lines)
    (warning,) = path_warnings(checked, 0.97)
    assert warning.startswith("check: 0% of the candidates have levels, but 97%")
    assert path_warnings(checked, 0.0) == []
    assert path_warnings(checked, None) == []


def test_a_separator_that_the_user_names_and_no_candidate_has(tmp_path: Path) -> None:
    _, checked = pair_file(tmp_path, [path.format(" | ") for path in PATHS], "|", said="»")
    assert checked.paths == 0
    assert path_warnings(checked, 0.9) != []
