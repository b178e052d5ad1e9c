"""The mark between the levels of category paths: whole, and the one whose structure is the most consistent."""

from __future__ import annotations

import polars as pl
import pytest

from babelshelf.pairs.guesses import Outcome
from babelshelf.pairs.separators import guess_separator, unwrapped

ROOTS = ["Home & Garden", "TV/Audio", "Kids' Wear (0-2)", "Büro - Bedarf", "घर और रसोई"]
MIDDLES = ["Lamps", "T-Shirts", "Table, Chairs", "Size 1:2", "दीवार की घड़ी"]
LEAVES = ["Red Lamps", "No. 5", "Men's Shoes", "A/C", "50% wool"]


def tree(mark: str, *, depth: int = 3) -> pl.DataFrame:
    """All paths of a small tree, whose names hold the usual marks of names."""
    paths = [mark.join([root, middle, leaf][:depth]) for root in ROOTS for middle in MIDDLES for leaf in LEAVES]
    return pl.DataFrame({"value": pl.Series(paths).unique(maintain_order=True)}).with_columns(count=pl.lit(2))


@pytest.mark.parametrize(
    "mark", ["|", ">>", "->", "-->", "=>", "//", "→", "»", "›", ">", "::", "&gt;", "\\", "＞", "~", "¦"]
)
@pytest.mark.parametrize("space", ["", " "])
def test_a_mark_is_found_whole_with_and_without_spaces(mark: str, space: str) -> None:
    guess = guess_separator(tree(f"{space}{mark}{space}"))
    assert guess.value is not None
    assert guess.value.strip() == mark
    assert guess.share == 1


@pytest.mark.parametrize(
    ("mark", "expected"), [(" / ", " / "), (" - ", " - "), (": ", ": "), ("; ", ";"), (" : ", " : ")]
)
def test_a_mark_that_names_hold_too_keeps_its_spaces(mark: str, expected: str) -> None:
    assert guess_separator(tree(mark)).value == expected


def test_rows_of_one_level_do_not_hide_the_separator() -> None:
    roots = pl.DataFrame({"value": ROOTS, "count": [100] * len(ROOTS)})
    guess = guess_separator(pl.concat([roots, tree(" ▸ ").with_columns(pl.col("count").cast(pl.Int64))]))
    assert (guess.value, guess.outcome) == ("▸", Outcome.CHECK)
    assert 0.2 < guess.share < 0.5


@pytest.mark.parametrize(
    "names",
    [
        ["Lamps", "Shoes", "Chairs", "Red Lamps"],
        ["Home & Garden", "Toys (0-2)", "Men's Shoes", "T-Shirts", "No. 5"],
        ["TV/Audio", "Lamps", "Shoes", "Chairs"],
        ["Fish - fresh", "Lamps", "Shoes", "Chairs"],
        ["दीवार की घड़ी", "कपड़े", "जूते"],
    ],
)
def test_names_without_levels_are_told(names: list[str]) -> None:
    guess = guess_separator(pl.DataFrame({"value": names, "count": [5] * len(names)}), "pairs.csv")
    assert guess.value == ""
    assert guess.line.startswith("check: separator")
    assert "no levels found" in guess.line
    assert "--path-separator" in guess.line


def test_a_list_in_text_is_a_path() -> None:
    texts = pl.Series(
        ['["A >> B"]', "['Home','Lamps']", '[ "Home", "Lamps", "Red, big" ]', "Home [old]", "[Home|Lamps]"]
    )
    assert texts.to_frame("text").select(unwrapped(pl.col("text"))).to_series().to_list() == [
        *("A >> B", "Home > Lamps", "Home > Lamps > Red, big", "Home [old]", "Home|Lamps")
    ]


def test_marks_of_dotted_and_dashed_slugs_are_to_be_checked() -> None:
    for mark in ".-_":
        guess = guess_separator(
            pl.DataFrame({"value": [f"home{mark}lamps", f"home{mark}chairs{mark}red"], "count": [1, 1]})
        )
        assert (guess.value, guess.outcome) == (mark, Outcome.CHECK)


@pytest.mark.parametrize("mark", ["--", "__", "#", " # ", " + ", " -- ", "*"])
def test_marks_that_names_may_hold_are_separators_where_all_paths_have_them(mark: str) -> None:
    paths = pl.DataFrame({"value": [f"Home{mark}Lamps{mark}Red Lamps {n}" for n in range(20)]})
    guess = guess_separator(paths.with_columns(count=pl.lit(1)))
    assert guess.outcome is Outcome.CHECK
    assert guess.value is not None
    assert guess.value.strip() == mark.strip()
    some = paths.with_columns(
        value=pl.when(pl.int_range(20) < 5).then(pl.lit("Home")).otherwise("value"), count=pl.lit(1)
    )
    assert mark.strip() in {"-", "--"} or guess_separator(some).value == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{Home,Lamps}", "Home > Lamps"),
        ('{Home,"Dining, Bar",Cups}', "Home > Dining, Bar > Cups"),
        ('{"Home",Kids\' Wear}', "Home > Kids' Wear"),
        ("('Home', 'Red Lamps')", "Home > Red Lamps"),
        ("('Home',)", "Home"),
        ('("Home", "Kids\' Wear", "Cups")', "Home > Kids' Wear > Cups"),
        ("(used) phones", "(used) phones"),
        ("Home {new} > Lamps", "Home {new} > Lamps"),
    ],
)
def test_arrays_and_tuples_in_text_are_paths(text: str, expected: str) -> None:
    assert pl.DataFrame({"value": [text]}).select(unwrapped(pl.col("value"))).item() == expected


@pytest.mark.parametrize("other", ["; ", " | ", " / "])
def test_several_paths_in_a_cell_are_to_be_checked(other: str) -> None:
    paths = [f"{value}{other}Outlet > Rest" for value in tree(" > ")["value"]]
    guess = guess_separator(pl.DataFrame({"value": paths, "count": 2}))
    assert (guess.value, guess.outcome) == (">", Outcome.CHECK)
    assert other.strip() in guess.reason
