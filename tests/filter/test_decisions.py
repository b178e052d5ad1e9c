"""What judges and people change in the filter's result, on rows worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from babelshelf.core.files import read_json
from babelshelf.core.rows import read_rows, write_rows, write_table
from babelshelf.filter.decisions import JUDGED_SCHEMA, RELABELLED_SCHEMA
from babelshelf.filter.judges.panel import Votes, majority
from babelshelf.filter.params import FilterParams
from babelshelf.filter.self_validation import Filtered, filter_rows
from babelshelf.tables.prediction_sets import no_unlabelled
from babelshelf.tables.predictions import source
from babelshelf.tables.reviews import PAIR
from babelshelf.tables.truth import Truth, no_truth
from stages.filter import main
from tests.filter.judges.panels import ENDPOINT
from tests.filter.test_self_validation import table, truth
from tests.helpers.endpoints import FakeEndpoint, completed, serving

# Of the rows of test_self_validation, those flagged at 0.9: 2, 4, 5, 1/pl, 1/neg; 4/de is the translation of 4.


def votes(said: Mapping[str, int | None]) -> pl.DataFrame:
    """Votes of three judges, of whom two say what is given and one the other; None: one yes, one no, one neither."""
    lists = {
        1: {"yes": ["a", "b"], "no": ["c"], "none": []},
        0: {"yes": ["a"], "no": ["b", "c"], "none": []},
        None: {"yes": ["a"], "no": ["b"], "none": ["c"]},
    }
    return majority(pl.DataFrame([{"id": id, **lists[label]} for id, label in said.items()]))


def params(**changes: object) -> FilterParams:
    panel = {"a": ENDPOINT | {"base_url": "http://x"}}
    judges = {"panel": panel, "contradicted": "relabel", "undecided": "drop", "max_calls": 9, "max_tokens": 9999}
    own = {name: changes.pop(name) for name in ("contradicted", "undecided") if name in changes}
    values = {"rule": "confidence", "confidence": {"at_least": 0.9}, "derived": "drop", "max_dropped_share": 1.0}
    values |= {"dev_languages": [], "judges": judges | own} | changes
    found: FilterParams = FilterParams.fitted(values).model_validate(values)
    return found


class Panel:
    """Judges who say what they are told; `asked` has the ids that they were asked about."""

    def __init__(self, said: Mapping[str, int | None]) -> None:
        self._said = said
        self.asked: list[str] = []

    def __call__(self, rows: pl.DataFrame) -> Votes:
        self.asked = rows["id"].to_list()
        counts = {"yes": 1, "no": 0, "unreadable": 0, "refused": 0, "failed": 0, "calls": 1, "tokens": 9}
        return Votes(votes({id: self._said[id] for id in self.asked}), {"a": counts, "b": counts, "c": counts})


def agreed(*decisions: tuple[str, str, str, int | None]) -> pl.DataFrame:
    """What two people agree on: language, query, candidate, label."""
    people = {1: (["ann", "bo"], [], []), 0: ([], ["ann", "bo"], []), None: (["ann"], ["bo"], [])}
    rows = [(*decision, *people[decision[-1]]) for decision in decisions]
    lists = pl.List(pl.String)
    schema = dict.fromkeys(PAIR, pl.String) | {"label": pl.Int8, "yes": lists, "no": lists, "unsure": lists}
    return pl.DataFrame(rows, schema=schema, orient="row")


def run(
    panel: Panel | None = None, people: pl.DataFrame | None = None, known: Truth | None = None, **changes: object
) -> Filtered:
    return filter_rows(*table(), known or no_truth(), params(**changes), agreed=people, judge=panel)


def labels(filtered: Filtered) -> dict[str, int | None]:
    return dict(filtered.kept.select("id", "label").iter_rows())


def reasons(filtered: Filtered) -> dict[str, str]:
    return dict(filtered.dropped.select("id", "reason").iter_rows())


def test_judges_confirm_relabel_or_leave_it_to_the_rule() -> None:
    panel = Panel({"2": 1, "4": 0, "5": 1, "1/pl": None, "1/neg": 1})
    filtered = run(panel)
    assert panel.asked == ["2", "4", "5", "1/pl", "1/neg"]
    assert reasons(filtered) == {"1/pl": "contradicted"}
    assert labels(filtered) == {
        "1": 1, "2": 1, "3": 1, "4": 0, "5": 1, "4/de": 0, "1/de": 1, "4/neg": 0, "1/neg": 1, "6": None,
    }  # fmt: skip
    kept = filtered.kept.filter(pl.col("id") == "1/neg").row(0, named=True)
    assert (kept["origin"], kept["parent_id"]) == ("negative", "1/de")
    assert filtered.relabelled is not None
    assert dict(filtered.relabelled.schema) == dict(RELABELLED_SCHEMA)
    said = filtered.relabelled.select("id", "was", "label", "by", "about", "judges_yes", "judges_no").rows()
    assert said == [
        ("2", 0, 1, "judges", "2", ["a", "b"], ["c"]),
        ("4", 1, 0, "judges", "4", ["a"], ["b", "c"]),
        ("4/de", 1, 0, "judges", "4", ["a"], ["b", "c"]),
        ("1/neg", 0, 1, "judges", "1/neg", ["a", "b"], ["c"]),
    ]
    assert filtered.judged is not None
    assert dict(filtered.judged.schema) == dict(JUDGED_SCHEMA)
    assert filtered.judged.select("id", "label", "majority").rows() == [
        ("2", 0, 1), ("4", 1, 0), ("5", 1, 1), ("1/pl", 1, None), ("1/neg", 0, 1),
    ]  # fmt: skip


def test_a_translation_is_not_asked_about_where_its_original_is() -> None:
    rows, scores = table()
    scores = scores.with_columns(p_yes=pl.when(pl.col("id") == "4/de").then(0.05).otherwise("p_yes"))
    for said, kept in ((1, {"4": 1, "4/de": 1}), (0, {"4": 0, "4/de": 0}), (None, {})):
        panel = Panel(dict.fromkeys(["2", "5", "1/pl", "1/neg"], None) | {"4": said})
        filtered = filter_rows(rows, scores, no_truth(), params(derived="judge"), judge=panel)
        assert "4/de" not in panel.asked
        assert {id: label for id, label in labels(filtered).items() if id in {"4", "4/de"}} == kept


def test_a_translation_that_has_the_other_label_already_stays() -> None:
    rows, scores = table()
    rows = rows.with_columns(label=pl.when(pl.col("id") == "4/de").then(0).otherwise("label").cast(pl.Int8))
    panel = Panel({"2": 0, "4": 0, "5": 1, "1/pl": 1, "1/neg": 0})
    filtered = filter_rows(rows, scores, no_truth(), params(), judge=panel)
    assert filtered.dropped.is_empty()
    assert labels(filtered)["4/de"] == 0


def test_what_follows_from_a_majority_and_from_none_are_params() -> None:
    said = {"2": 1, "4": 0, "5": None, "1/pl": None, "1/neg": 0}
    dropped = {"2": "judged_wrong", "4": "judged_wrong", "4/de": "parent_dropped"}
    undecided = dict.fromkeys(["5", "1/pl"], "contradicted")
    assert reasons(run(Panel(said), contradicted="drop")) == dropped | undecided
    assert reasons(run(Panel(said), contradicted="drop", undecided="keep")) == dropped
    assert run(Panel(said), contradicted="drop").relabelled.is_empty()  # type: ignore[union-attr]


def test_the_cap_counts_what_judges_relabel_and_takes_it_first() -> None:
    panel = Panel({"2": None, "4": 0, "5": None, "1/pl": 0, "1/neg": 1})
    filtered = run(panel, max_dropped_share=0.5)
    # one of the three rows of (fr, 1): 4, of which the judges are sure, before 5, of which the model is surer; and one
    # of the two translations of (de, 1): that of 4, which follows it
    assert labels(filtered) == {
        "1": 1, "2": 0, "3": 1, "4": 0, "5": 1, "4/de": 0, "1/de": 1, "1/pl": 1, "4/neg": 0, "1/neg": 0, "6": None,
    }  # fmt: skip
    assert filtered.dropped.is_empty()
    assert filtered.metrics["capped"]["fr"] == {"1": {"original": {"read": 3, "marked": 2, "kept_by_cap": 1}}}
    assert any(line.startswith("check: the filter would drop or relabel 2 of the 3") for line in filtered.warnings)


def test_people_come_before_the_rule_and_the_judges() -> None:
    people = agreed(
        ("en", "shoe", "blue shoe", 0),  # 2: confirmed, though the model is sure that it is wrong
        ("fr", "shoe", "hat", 0),  # 3: another label, though the model is not sure
        ("fr", "shoe", "old shoe", None),  # 5: they do not agree
        ("en", "shoe", "boot", 1),  # 6: had no label
        ("de", "shoe", "new shoe", 1),  # 1/neg
        ("en", "shoe", "no such row", 1),
    )
    panel = Panel({"4": None, "5": 1, "1/pl": 0})
    filtered = run(panel, people)
    assert panel.asked == ["4", "5", "1/pl"]
    assert reasons(filtered) == {"4": "contradicted", "4/de": "parent_dropped"}
    assert labels(filtered) == {"1": 1, "2": 0, "3": 0, "5": 1, "1/de": 1, "1/pl": 0, "4/neg": 0, "1/neg": 1, "6": 1}
    assert filtered.relabelled is not None
    said = filtered.relabelled.select("id", "was", "by", "people_yes", "people_no", "judges_no").rows()
    assert said == [
        ("3", 1, "people", [], ["ann", "bo"], None),
        ("1/pl", 1, "judges", None, None, ["b", "c"]),
        ("1/neg", 0, "people", ["ann", "bo"], [], None),
        ("6", None, "people", ["ann", "bo"], [], None),
    ]
    assert filtered.metrics["people"] == {"decided": 4, "own": 4, "confirmed": 1, "relabelled": 3}
    assert filtered.metrics["relabelled"] == 4


def test_translations_follow_what_people_say_of_the_original_unless_they_say_it_of_the_translation() -> None:
    people = agreed(("fr", "shoe", "glove", 0), ("en", "shoe", "red shoe", 0), ("de", "shoe", "red shoe", 1))
    filtered = run(people=people)
    changed = {id: label for id, label in labels(filtered).items() if id in {"4", "4/de", "1", "1/de", "1/pl"}}
    assert changed == {"4": 0, "4/de": 0, "1": 0, "1/de": 1, "1/pl": 0}
    assert filtered.metrics["people"] == {"decided": 5, "own": 3, "confirmed": 1, "relabelled": 4}
    kept = run(people=agreed(("de", "shoe", "glove", 1)))  # the original is dropped, by the rule
    assert reasons(kept)["4"] == "contradicted"
    assert labels(kept)["4/de"] == 1


def test_judges_are_measured_where_the_truth_is_known() -> None:
    filtered = run(Panel({"2": 1, "4": 0, "5": 1, "1/pl": None, "1/neg": 0}), known=truth())
    found = filtered.metrics["judges"]
    assert {name: found[name] for name in ("asked", "confirmed", "contradicted", "undecided")} == {
        "asked": 5, "confirmed": 2, "contradicted": 2, "undecided": 1,
    }  # fmt: skip
    assert found["right"] == pytest.approx(3 / 4)  # not 1/neg, a shoe
    assert found["label_right"] == pytest.approx(2 / 5)  # of 5 and 1/pl
    assert found["panel"]["a"]["right"] == pytest.approx(4 / 5)  # yes to all, and 4 is a glove
    assert found["panel"]["c"]["right"] == pytest.approx(1 / 4)  # votes on all but 1/pl; right on 4 alone
    noise = filtered.metrics["noise"]["original"]
    assert noise == pytest.approx(
        {"rows": 5, "share_before": 3 / 5, "share_after": 1 / 5, "precision": 1.0, "recall": 2 / 3}
    )
    assert filtered.metrics["by_origin"]["translated"]["relabelled"] == 1


def test_without_judges_and_people_nothing_is_written_or_counted_of_them() -> None:
    filtered = run(people=agreed())
    assert filtered.relabelled is None
    assert filtered.judged is None
    assert not {"judges", "people", "relabelled"} & filtered.metrics.keys()
    assert filtered.dropped.columns[-2:] == ["p_yes", "reason"]


def test_the_stage_asks_an_endpoint_and_reads_the_reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    rows, scores = table()
    write_rows(Path("train.parquet"), rows)
    write_table(Path("scores/scores.parquet"), scores.with_columns(**source("train", "negatives")))
    write_table(Path("truth/groups.parquet"), truth().groups)
    write_table(Path("truth/candidates.parquet"), truth().candidates)
    write_table(Path("unlabelled.parquet"), no_unlabelled())
    write_table(Path("held_out.parquet"), pl.DataFrame({"key": []}, schema={"key": pl.String}))
    Path("prompt.txt").write_text("{query}/{candidate}: {answer}", encoding="utf-8")
    Path("reviews").mkdir()
    pair = {"language": "fr", "query": "shoe", "candidate": "hat"}
    line = pair | {"label": 0, "was": 1, "at": "2026-01-31T12:00:00Z"}
    Path("reviews/ann.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    paths = {"train": "train.parquet", "scores": "scores", "truth": "truth", "reviews": "reviews"}
    paths |= {"unlabelled": "unlabelled.parquet", "held-out": "held_out.parquet"}
    paths |= {"prompt": "prompt.txt", "out": "out", "metrics": "m.json", "variant": "negatives"}
    options = [part for name, path in paths.items() for part in (f"--{name}", path)]
    endpoint = FakeEndpoint(lambda prompt, _before: completed("yes" if "shoe:" in prompt else "no"))
    with serving(endpoint):
        values = params().model_dump()
        values["judges"]["panel"]["a"]["base_url"] = endpoint.url
        Path("params.yaml").write_text(json.dumps({"threads": 1, "tasks": {"qc": {"filter": values}}}))
        result = CliRunner().invoke(main, ["qc", *options], catch_exceptions=False)
        assert "judges: 5 calls about 5 rows" in result.output
        first = {path: path.read_bytes() for path in [*Path("out").iterdir(), Path("m.json")]}
        CliRunner().invoke(main, ["qc", *options], catch_exceptions=False)
    assert {path: path.read_bytes() for path in first} == first
    assert sum(endpoint.asked.values()) == 5
    wrong = read_rows(Path("out/train.parquet")).filter(pl.col("label") != pl.col("candidate").str.contains("shoe"))
    assert wrong.is_empty()
    assert pl.read_parquet("out/relabelled.parquet")["by"].to_list() == [
        "judges",
        "people",
        "judges",
        "judges",
        "judges",
    ]
    assert pl.read_parquet("out/judged.parquet").height == read_json(Path("m.json"))["judges"]["asked"] == 5
