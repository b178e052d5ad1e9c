"""Which rows self-validation drops, under both policies, on rows whose truth is known."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from babelshelf.core.errors import InputError
from babelshelf.core.files import read_json
from babelshelf.core.params import load
from babelshelf.core.rows import ROW_SCHEMA, read_rows, write_rows, write_table
from babelshelf.filter.params import FilterParams
from babelshelf.filter.self_validation import Filtered, filter_rows
from babelshelf.tables.prediction_sets import no_unlabelled
from babelshelf.tables.predictions import source
from babelshelf.tables.truth import FACTS_SCHEMA, Truth, no_truth
from stages.filter import main
from tests.helpers.profiles import NANO

# id, language, candidate, label, origin, parent, p_yes; the query asks for a shoe
ROWS = [
    ("1", "en", "red shoe", 1, "original", None, 0.99),
    ("2", "en", "blue shoe", 0, "original", None, 0.95),  # wrong label, found
    ("3", "fr", "hat", 1, "original", None, 0.30),  # wrong label, not found: the model is not sure
    ("4", "fr", "glove", 1, "original", None, 0.10),  # wrong label, found: 1 - p is just the confidence
    ("5", "fr", "old shoe", 1, "original", None, 0.02),  # right label, dropped all the same
    ("4/de", "de", "glove", 1, "translated", "4", 0.60),  # inherits the wrong label of 4
    ("1/de", "de", "red shoe", 1, "translated", "1", 0.97),
    ("1/pl", "pl", "red shoe", 1, "translated", "1", 0.05),  # contradicted itself, its parent is not
    ("4/neg", "fr", "scarf", 0, "negative", "4", 0.40),
    ("1/neg", "de", "new shoe", 0, "negative", "1/de", 0.93),  # a false negative, found
    ("6", "en", "boot", None, "original", None, 0.99),
]


def table() -> tuple[pl.DataFrame, pl.DataFrame]:
    columns = ["id", "language", "candidate", "label", "origin", "parent_id", "p_yes"]
    rows = pl.DataFrame(ROWS, schema=columns, orient="row").with_columns(
        task=pl.lit("qc"), query=pl.lit("shoe"), group=pl.lit("g"), label=pl.col("label").cast(pl.Int8)
    )
    return rows.select(ROW_SCHEMA.names()), rows.select("id", "p_yes")


def truth() -> Truth:
    rows, _ = table()
    candidates = rows.select(key="candidate", facts=pl.col("candidate").str.split(" ")).unique()
    groups = pl.DataFrame({"key": ["g"], "facts": [["shoe"]]}, schema=FACTS_SCHEMA)
    return Truth(groups, candidates)


def params(confidence: float, derived: str, most: float = 1.0) -> FilterParams:
    """Of the paper's rule."""
    own = {"confidence": {"at_least": confidence}}
    values = {"rule": "confidence", "derived": derived, "max_dropped_share": most, "dev_languages": []} | own
    found: FilterParams = FilterParams.fitted(values).model_validate(values)
    return found


def run(derived: str, confidence: float = 0.9, known: Truth | None = None, most: float = 1.0) -> Filtered:
    return filter_rows(*table(), known or no_truth(), params(confidence, derived, most))


def reasons(filtered: Filtered) -> dict[str, str]:
    return dict(filtered.dropped.select("id", "reason").iter_rows())


CONTRADICTED = dict.fromkeys(["2", "4", "5", "1/pl", "1/neg"], "contradicted")


def test_judge_drops_just_what_a_confident_prediction_contradicts() -> None:
    assert reasons(run("judge")) == CONTRADICTED


def test_drop_takes_the_translations_of_a_dropped_row_along_but_not_its_negatives() -> None:
    assert reasons(run("drop")) == CONTRADICTED | {"4/de": "parent_dropped"}


def test_the_confidence_decides() -> None:
    assert set(reasons(run("judge", confidence=0.94))) == {"2", "5", "1/pl"}


def imbalanced(positives: int, negatives: int, language: str = "en") -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of which the model says no to all; the later a positive, the surer it is."""
    labels = [1] * positives + [0] * negatives
    rows = pl.DataFrame({"label": labels, "id": [f"{language}{n:03}" for n in range(len(labels))]}).with_columns(
        *(pl.lit(value).alias(name) for name, value in {"task": "qc", "language": language, "group": "g"}.items()),
        *(
            pl.lit(value).alias(name)
            for name, value in {"query": "shoe", "candidate": "x", "origin": "original"}.items()
        ),
        pl.col("label").cast(pl.Int8),
        parent_id=pl.lit(None, pl.String),
        p_yes=0.1 / (pl.int_range(pl.len()) + 2),
    )
    return rows.select(ROW_SCHEMA.names()), rows.select("id", "p_yes")


@pytest.mark.parametrize(
    ("positives", "negatives", "dropped"), [(18, 200, 5), (3, 40, 0), (100, 100, 30), (1, 9, 0), (4, 400, 1)]
)
def test_no_class_is_emptied_and_the_surest_contradictions_go_first(
    positives: int, negatives: int, dropped: int
) -> None:
    settings = params(0.75, "drop", 0.3)
    filtered = filter_rows(*imbalanced(positives, negatives), no_truth(), settings)
    assert filtered.dropped["id"].to_list() == [f"en{n:03}" for n in range(positives - dropped, positives)]
    kept = {"read": positives, "marked": positives, "kept_by_cap": positives - dropped}
    assert filtered.metrics["capped"] == {"en": {"1": {"original": kept}}}
    assert filtered.warnings[0].startswith(
        f"check: the filter would drop {positives} of the {positives} original rows of en"
    )


@pytest.mark.parametrize(("positives", "negatives"), [(18, 200), (1, 9), (50, 50)])
def test_a_class_that_the_filter_empties_is_told(positives: int, negatives: int) -> None:
    """Without a cap, as in the paper's setting."""
    filtered = filter_rows(
        *imbalanced(positives, negatives),
        no_truth(),
        params(0.75, "judge"),
    )
    (line,) = filtered.warnings
    assert line.startswith(f"check: the filter dropped all {positives} rows of en with label 1")


def test_the_cap_is_of_each_language_and_says_nothing_where_it_is_not_reached() -> None:
    parts = [imbalanced(10, 10, "en"), imbalanced(10, 10, "de")]
    rows, scores = (pl.concat(tables) for tables in zip(*parts, strict=True))
    scores = scores.with_columns(
        p_yes=pl.when(pl.col("id") > "en001", pl.col("id") < "en010").then(0.9).otherwise("p_yes")
    )
    filtered = filter_rows(rows, scores, no_truth(), params(0.75, "drop", 0.3))
    assert filtered.metrics["capped"].keys() == {"de"}
    assert filtered.dropped["language"].value_counts().sort("language").rows() == [("de", 3), ("en", 2)]


def test_translations_count_in_their_own_class_and_language() -> None:
    filtered = run("drop", most=0.5)
    # of (fr, 1) with three rows one may go, the surest; 4 stays, and so does its translation; the others are alone
    assert reasons(filtered) == {"5": "contradicted"}
    assert filtered.metrics["capped"]["de"] == {
        "0": {"negative": {"read": 1, "marked": 1, "kept_by_cap": 1}},
        "1": {"translated": {"read": 2, "marked": 1, "kept_by_cap": 1}},
    }


def test_kept_and_flagged_are_the_whole_set_in_its_order() -> None:
    filtered = run("drop")
    rows, scores = table()
    dropped = set(filtered.dropped["id"])
    assert filtered.kept.equals(rows.filter(~pl.col("id").is_in(dropped)))
    assert filtered.dropped.drop("p_yes", "reason").equals(rows.filter(pl.col("id").is_in(dropped)))
    assert dict(filtered.dropped.select("id", "p_yes").iter_rows()).items() <= dict(scores.iter_rows()).items()


def test_everything_is_counted() -> None:
    metrics = run("drop").metrics
    assert {key: metrics[key] for key in ("read", "contradicted", "dropped", "kept")} == {
        "read": 11, "contradicted": 5, "dropped": 6, "kept": 5,
    }  # fmt: skip
    assert metrics["by_origin"]["translated"] == {"read": 3, "contradicted": 1, "dropped": 2, "kept": 1}
    assert metrics["by_language"]["de"] == {"read": 3, "contradicted": 1, "dropped": 2, "kept": 1}
    assert metrics["by_label"]["unlabelled"] == {"read": 1, "contradicted": 0, "dropped": 0, "kept": 1}
    for name in ("by_origin", "by_language", "by_label"):
        assert sum(part["dropped"] for part in metrics[name].values()) == metrics["dropped"]
    assert metrics["positive_share"]["before"]["all"]["all"] == pytest.approx(7 / 10)
    assert metrics["positive_share"]["after"]["all"]["all"] == pytest.approx(3 / 4)


def test_injected_noise_is_found() -> None:
    noise = run("drop", known=truth()).metrics["noise"]
    # original, labelled: 1 to 5; wrong 2, 3, 4; dropped 2, 4, 5
    assert noise["original"] == pytest.approx(
        {"rows": 5, "share_before": 3 / 5, "share_after": 1 / 2, "precision": 2 / 3, "recall": 2 / 3}
    )
    surer = run("drop", confidence=0.94, known=truth()).metrics["noise"]["original"]  # drops 2 and 5
    assert (surer["precision"], surer["recall"]) == pytest.approx((1 / 2, 1 / 3))
    assert noise["negative"] == {"rows": 2, "share_before": 0.5, "share_after": 0.0, "precision": 1.0, "recall": 1.0}


def test_without_truth_nothing_is_said_of_noise() -> None:
    assert run("drop").metrics["noise"] == {}


@pytest.mark.parametrize("change", ["missing", "another", "null", "more", "twice", "range"])
def test_scores_of_other_rows_are_refused(change: str) -> None:
    rows, scores = table()
    first = pl.col("id") == "1"
    scores = {
        "missing": scores.head(-1),
        "another": scores.with_columns(id=pl.when(first).then(pl.lit("x")).otherwise("id")),
        "null": scores.with_columns(p_yes=pl.when(~first).then("p_yes")),
        "more": pl.concat([scores, scores.head(1).with_columns(id=pl.lit("x"))]),
        "twice": pl.concat([scores, scores.head(1)]),
        "range": scores.with_columns(p_yes=pl.col("p_yes") + 1),
    }[change]
    with pytest.raises(InputError, match="score_train"):
        filter_rows(rows, scores, no_truth(), params(0.9, "judge"))


def test_a_set_of_which_nothing_remains_is_an_error() -> None:
    rows, scores = (frame.filter(pl.col("id").is_in(["2", "4"])) for frame in table())
    with pytest.raises(InputError, match="max_dropped_share"):
        filter_rows(rows, scores, no_truth(), params(0.9, "judge"))


def test_the_stage_writes_both_tables_and_the_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(
        "tasks: {qc: {filter: {rule: confidence, confidence: {at_least: 0.9}, derived: drop, max_dropped_share: 1.0, "
        "dev_languages: []}}}"
    )
    rows, scores = table()
    write_rows(Path("train.parquet"), rows)
    write_table(Path("unlabelled.parquet"), no_unlabelled())
    write_table(Path("held_out.parquet"), pl.DataFrame({"key": []}, schema={"key": pl.String}))
    write_table(Path("scores/scores.parquet"), scores.with_columns(**source("train", "negatives")))
    write_table(Path("truth/groups.parquet"), truth().groups)
    write_table(Path("truth/candidates.parquet"), truth().candidates)
    options = [
        "--variant",
        "negatives",
        "--train",
        "train.parquet",
        "--scores",
        "scores",
        "--truth",
        "truth",
        "--reviews",
        "reviews",
        "--unlabelled",
        "unlabelled.parquet",
        "--held-out",
        "held_out.parquet",
        "--prompt",
        "prompt.txt",
        "--out",
        "out",
        "--metrics",
        "m.json",
    ]
    other = CliRunner().invoke(main, ["qc", *options, "--variant", "translated"])
    assert other.exit_code == 1
    assert "by the model of 'translated' are needed" in other.output
    assert not Path("out").exists()
    assert CliRunner().invoke(main, ["qc", *options], catch_exceptions=False).exit_code == 0
    assert read_rows(Path("out/train.parquet")).height == 5
    assert pl.read_parquet("out/dropped.parquet").height == read_json(Path("m.json"))["dropped"] == 6
    assert sorted(file.name for file in Path("out").iterdir()) == ["dropped.parquet", "train.parquet"]


def test_of_300_rows_with_few_positives_most_stay_by_default() -> None:
    """With the params of nano: the model contradicts 17 of 18 positives."""
    rows, scores = imbalanced(18, 282)
    scores = scores.with_columns(p_yes=pl.when(pl.col("id") == "en000").then(0.9).otherwise("p_yes"))
    for task in ("qc", "qi"):
        filtered = filter_rows(rows, scores, no_truth(), load(FilterParams, "filter", task, NANO))
        assert filtered.kept.filter(label=1).height == 13
        assert filtered.kept.filter(label=0).height == 282


def test_no_origin_language_or_class_loses_more_than_the_share() -> None:
    """Rows of two origins, of which the model contradicts all in one."""
    rows, scores = imbalanced(100, 100)
    synthetic = (pl.int_range(pl.len()) % 5 == 0).alias("synthetic")
    rows = rows.with_columns(
        origin=pl.when(synthetic).then(pl.lit("negative")).otherwise("origin"),
        parent_id=pl.when(synthetic).then(pl.lit("elsewhere")),
    )
    contradicted = rows["origin"] == "negative"
    scores = scores.with_columns(p_yes=pl.when(contradicted).then(1 - rows["label"]).otherwise(rows["label"]))
    filtered = filter_rows(rows, scores, no_truth(), params(0.75, "judge", 0.3))
    assert filtered.dropped["origin"].unique().to_list() == ["negative"]
    assert filtered.dropped.height == 12  # 30 % of 40, though of the class and language there was room for 60
    assert sorted(filtered.dropped["label"].value_counts()["count"]) == [6, 6]


def test_rows_without_a_label_are_kept_and_change_nothing() -> None:
    rows, scores = table()
    labelled = rows.filter(pl.col("label").is_not_null())
    some = filter_rows(labelled, scores.filter(pl.col("id") != "6"), no_truth(), params(0.9, "judge"))
    both = filter_rows(rows, scores, no_truth(), params(0.9, "judge"))
    assert reasons(both) == reasons(some) != {}
    assert "6" in both.kept["id"]
    alone = filter_rows(rows.filter(id="6"), scores.filter(id="6"), no_truth(), params(0.9, "judge"))
    assert alone.kept["id"].to_list() == ["6"]
