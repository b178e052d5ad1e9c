"""Each warning appears where its rule holds, and not short of it."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from babelshelf.evaluate.warnings import dev_rows, filtered_rows, further, warnings


def part(low: float, all_yes: float = 0.8) -> dict[str, float]:
    return {"f1": low + 0.01, "f1_low": low, "f1_high": low + 0.02, "all_yes_f1": all_yes}


def evaluated(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - as JSON
    """A result without a warning, but for `changes`."""
    sound = {
        "all": part(0.81),
        "absent": part(0.81),
        "languages": {"en": {"f1": 0.9, "all_yes_f1": 0.8}, "de": {"f1": 0.81, "all_yes_f1": 0.8}},
        "dev_rows": {"en": 500, "de": 50},
        "filtered": {
            "language": {"en": {"read": 100, "dropped": 20}, "de": {"read": 19, "dropped": 19}},
            "label": {"0": {"read": 60, "dropped": 12}, "1": {"read": 59, "dropped": 11}},
        },
    }
    return sound | changes


def test_a_sound_result_has_none_and_so_has_one_of_an_older_version() -> None:
    assert warnings(evaluated()) == []
    assert warnings({"all": part(0.81), "languages": {"en": {"f1": 0.1, "rows": 5}}}) == []


@pytest.mark.parametrize(("name", "where"), [("all", ""), ("absent", " in languages absent from train")])
def test_f1_whose_interval_reaches_all_yes(name: str, where: str) -> None:
    found = warnings(evaluated(**{name: part(0.8)}))
    assert found == [f'F1{where} is not clearly above answering "yes" to every pair (80.0–82.0 against 80.0)']
    assert further(evaluated(**{name: part(0.8)})) == []  # the table of `babelshelf show` says it already


def test_a_language_that_is_no_better_than_all_yes() -> None:
    languages = {"en": (0.81, 99), "th": (0.8, 99), "vi": (0.5, 9)}
    languages = {name: {"f1": f1, "all_yes_f1": 0.8, "rows": rows} for name, (f1, rows) in languages.items()}
    (found,) = warnings(evaluated(languages=languages))
    assert found == 'F1 is no better than answering "yes" to every pair in th (80.0 against 80.0)'


def test_a_class_or_language_that_lost_over_a_fifth_in_the_filter() -> None:
    filtered = {
        "language": {
            "en": {"read": 100, "dropped": 21},
            "fr": {"read": 20, "dropped": 5},
            "de": {"read": 19, "dropped": 9},
        },
        "label": {"0": {"read": 1000, "dropped": 201}, "1": {"read": 1000, "dropped": 200}},
    }
    assert warnings(evaluated(filtered=filtered)) == [
        "the filter dropped over 20% of the training rows with label 0 (201 of 1,000)",
        "the filter dropped over 20% of the training rows in en (21 of 100), fr (5 of 20)",
    ]


def test_a_language_with_too_few_dev_rows() -> None:
    (found,) = warnings(evaluated(dev_rows={"en": 50, "de": 49, "th": 0}))
    assert found == "dev has fewer than 50 labelled rows, too few to check a threshold, of de (49), th (0)"


def test_filtered_rows_are_counted_by_language_and_by_label() -> None:
    columns = {"language": ["en", "en", "de", "de"], "label": [1, 0, 1, None]}
    kept = pl.DataFrame(columns, schema_overrides={"label": pl.Int8}).with_columns(id=pl.lit("x"))
    dropped = kept.head(1).with_columns(p_yes=pl.lit(0.1))
    assert filtered_rows(kept, dropped) == {
        "language": {"de": {"read": 2, "dropped": 0}, "en": {"read": 3, "dropped": 1}},
        "label": {"0": {"read": 1, "dropped": 0}, "1": {"read": 3, "dropped": 1}},
    }


def test_dev_rows_are_those_of_the_languages_of_test() -> None:
    assert dev_rows(["en", "th"], {"rows_by_language": {"en": 7, "fr": 9}}) == {"en": 7, "th": 0}
    assert dev_rows(["en"], {"threshold": 0.5}) == {}
