"""The steps: what they add or drop in which split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from babelshelf.commands.tune.context import Context
from babelshelf.commands.tune.recipe import DataStep, Scores, StepUnavailableError, TrainingSet
from babelshelf.commands.tune.search_setup import load_steps
from babelshelf.commands.tune.splits import Split, nested
from babelshelf.commands.tune.steps import label_filter, negatives, translation
from babelshelf.commands.tune.task_data import SearchData, language_sets, read_data
from babelshelf.commands.tune.texts import PairTexts
from babelshelf.filter import rules
from tests.helpers import tune_data
from tests.helpers.tune_data import TEXTS, TOPICS, TopicEncoder

UNSURE = """
import polars as pl
from babelshelf.core.params import Section

SECTION = "width: 0.1"


class Params(Section):
    width: float


def flagged(rows: pl.DataFrame, settings: Section) -> pl.Series:
    return (rows["p_yes"] - 0.5).abs() <= settings.own(Params, "unsure").width
"""


@dataclass
class FakeTools:
    """What a step gets, with given out-of-fold scores."""

    texts: PairTexts
    data: SearchData
    splits: Sequence[Split]
    p_yes: Scores | None = None

    def out_of_fold(self) -> Scores:
        assert self.p_yes is not None
        return self.p_yes


@pytest.fixture
def data(tmp_path: Path) -> SearchData:
    return read_data("qi", tune_data.write(tune_data.pairs(150), tmp_path), 20, 10_000, 1)


@pytest.fixture
def splits(data: SearchData) -> list[Split]:
    return list(nested(data, language_sets(data, 1), 1)[0].splits)


def context(data: SearchData, tmp_path: Path, **params: object) -> Context:
    hidden = sorted(frozenset[str]().union(*language_sets(data, 1)))
    return Context(data, tune_data.params() | params, hidden, 4000, 1, tmp_path / "cache")


def original(data: SearchData, splits: Sequence[Split]) -> TrainingSet:
    return TrainingSet(data.rows, np.stack([split.train for split in splits], axis=1))


def tools(data: SearchData, splits: Sequence[Split], step: DataStep, tmp_path: Path) -> FakeTools:
    texts = [*data.rows["query"], *data.rows["candidate"], *step.texts()]
    return FakeTools(PairTexts.of(data.rows, texts, TopicEncoder(), tmp_path / "vectors"), data, splits)


def test_windows_go_from_the_nearest_candidates_to_the_whole_catalogue(data: SearchData, tmp_path: Path) -> None:
    step = negatives.load(context(data, tmp_path))
    windows = step.windows()
    assert windows[0][0] == 1
    assert max(last for _, last in windows) == TOPICS * TEXTS - 1
    own = tune_data.params()["tasks"][data.task]["mine_negatives"]["rank_window"]
    assert tuple(own) in windows


@pytest.mark.parametrize("window", [(1, 5), (50, TOPICS * TEXTS - 1)])
def test_a_window_has_the_ranks_by_cosine(data: SearchData, tmp_path: Path, window: tuple[int, int]) -> None:
    step = negatives.load(context(data, tmp_path))
    found = step.neighbours(window, tools(data, [], step, tmp_path).texts)
    vectors = TopicEncoder().encode(data.candidates)
    positive = set(data.rows.filter(label=1)["candidate"])
    anchors = [number for number, text in enumerate(data.candidates) if text in positive]
    for number in anchors[::9]:
        cosines = vectors @ vectors[number]
        cosines[number] = np.inf
        ranked = np.argsort(-cosines, kind="stable")[1:]
        assert set(found[number]) <= set(ranked[window[0] : window[1]])


def test_windows_of_a_sampled_catalogue_are_those_of_the_whole_one(data: SearchData, tmp_path: Path) -> None:
    step = negatives.load(context(replace(data, rank_scale=10.0), tmp_path))
    windows = step.windows()
    assert max(last for _, last in windows) == 10 * (TOPICS * TEXTS - 1)
    assert (1, 5) not in windows  # no rank of the sample is in it
    assert (200, 1000) in windows
    found = step.neighbours((200, 1000), tools(data, [], step, tmp_path).texts)
    plain = negatives.load(context(data, tmp_path))
    assert step.sampled_ranks((200, 1000)) == (20, 100)
    assert found.shape == plain.neighbours((50, 179), tools(data, [], plain, tmp_path).texts).shape


def test_negatives_follow_their_parents_and_no_split_gets_a_candidate_that_only_its_test_rows_have(
    data: SearchData, splits: list[Split], tmp_path: Path
) -> None:
    catalogue = data.rows["candidate"].unique().to_list()
    alone = SearchData("qi", data.rows, data.trainable, data.languages, data.absent, catalogue)
    step = negatives.load(context(alone, tmp_path))
    training = original(alone, splits)
    made = step.apply(training, step.options()[-1], tools(alone, splits, step, tmp_path))
    rows = made.rows.with_row_index("place").filter(origin="negative")
    assert rows.height
    assert rows["label"].unique().to_list() == [0]
    places = dict(zip(training.rows["id"], range(training.rows.height), strict=True))
    for number, split in enumerate(splits):
        mined = rows.filter(pl.Series(made.masks[rows["place"].to_numpy(), number]))
        known = set(data.rows.filter(pl.Series(split.train))["candidate"])
        assert set(mined["candidate"]) <= known
        assert all(split.train[places[parent]] for parent in mined["parent_id"])
        assert not set(mined["group"]) & set(data.rows.filter(pl.Series(split.test))["group"])


def test_negatives_bring_the_positive_share_down(data: SearchData, splits: list[Split], tmp_path: Path) -> None:
    step = negatives.load(context(data, tmp_path))
    option = step.options()[-2]
    made = step.apply(original(data, splits), option, tools(data, splits, step, tmp_path))
    share = made.rows.filter(pl.Series(made.masks[:, 0]))["label"].mean()
    assert share == pytest.approx(option.values["share"], abs=0.03)


def test_the_filter_drops_contradicted_rows_of_each_split_alone(
    data: SearchData, splits: list[Split], tmp_path: Path
) -> None:
    step = label_filter.load(context(data, tmp_path))
    training = original(data, splits)
    of_label = training.rows["label"].to_numpy().astype(np.float32)
    p_yes = np.repeat(of_label[:, None], len(splits), axis=1)
    wrong = np.flatnonzero(training.masks[:, 0])[:9]
    p_yes[wrong, 0] = 1 - p_yes[wrong, 0]
    given = FakeTools(tools(data, splits, step, tmp_path).texts, data, splits, p_yes)
    made = step.apply(training, step.options()[0], given)
    ids = [set(made.rows.filter(pl.Series(made.masks[:, number]))["id"]) for number in range(len(splits))]
    before = [set(training.rows.filter(pl.Series(training.masks[:, number]))["id"]) for number in range(len(splits))]
    assert before[0] - ids[0] == set(training.rows[wrong.tolist()]["id"])
    assert before[1:] == ids[1:]


def test_a_rule_in_the_folder_is_tried_and_its_params_are_written(
    data: SearchData, splits: list[Split], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unsure.py").write_text(UNSURE)
    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(tmp_path)])
    step = label_filter.load(context(data, tmp_path))
    option = next(option for option in step.options() if option.label == "unsure")
    assert step.params(option) == {
        ("tasks", "qi", "filter", "rule"): "unsure",
        ("tasks", "qi", "filter", "unsure", "width"): 0.1,
        ("tasks", "qi", "filter_method"): "classifier",
    }
    training = original(data, splits)
    p_yes = np.tile(training.rows["label"].to_numpy().astype(np.float32)[:, None], len(splits))
    unsure = int(np.flatnonzero(training.masks[:, 0])[0])
    p_yes[unsure, 0] = 0.55
    made = step.apply(training, option, FakeTools(tools(data, splits, step, tmp_path).texts, data, splits, p_yes))
    assert np.argwhere(made.masks != training.masks).tolist() == [[unsure, 0]]


def test_translations_are_into_the_languages_that_a_split_lacks(tmp_path: Path) -> None:
    data, step = translated(tmp_path)
    splits = list(nested(data, language_sets(data, 1), 1)[0].splits)
    training = original(data, splits)
    texts = PairTexts.of(tune_data.pairs(2), [], TopicEncoder(), tmp_path / "vectors")  # translation needs none
    made = step.apply(training, step.options()[-1], FakeTools(texts, data, splits))
    rows = made.rows.with_row_index("place").filter(origin="translated")
    for number, split in enumerate(splits):
        own = rows.filter(pl.Series(made.masks[rows["place"].to_numpy(), number]))
        assert own.height
        assert set(own["language"]) <= split.absent
        measured = data.rows.filter(pl.Series(split.test))
        assert not set(own["query"]) & set(measured["query"])
        assert not set(own["group"]) & set(measured["group"])


def test_without_languages_or_a_glossary_translation_is_left_out(data: SearchData, tmp_path: Path) -> None:
    with pytest.raises(StepUnavailableError, match=r"translate.languages is \[\]"):
        translation.load(context(data, tmp_path))
    settings = tune_data.params()["translate"] | {"languages": ["de"], "glossary": str(tmp_path / "none.tsv")}
    steps, left_out = load_steps(context(data, tmp_path, translate=settings))
    assert "no such file" in left_out["translation"]
    assert list(steps) == ["negatives", "filter"]


def translated(tmp_path: Path) -> tuple[SearchData, DataStep]:
    """Rows whose queries a glossary knows, and the step."""
    rows = tune_data.pairs(150).with_columns(query=pl.format("red shoe {}", pl.col("group").str.slice(1)))
    glossary = tmp_path / "glossary.tsv"
    names = {"en": "red\tshoe", "fr": "rouge\tchaussure", "es": "rojo\tzapato", "pt": "vermelho\tsapato"}
    words = [name.split("\t") for name in names.values()]
    lines = ["\t".join(names), *("\t".join(of[place] for of in words) for place in (0, 1))]
    for language in ("fr", "es", "pt"):
        for english, own in zip(("red", "shoe"), names[language].split("\t"), strict=True):
            rows = rows.with_columns(
                query=pl.when(pl.col("language") == language)
                .then(pl.col("query").str.replace(english, own))
                .otherwise("query")
            )
    data = read_data("qi", tune_data.write(rows, tmp_path), 20, 10_000, 1)
    glossary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = tune_data.params()["translate"] | {
        "languages": ["fr"],
        "glossary": str(glossary),
        "sources": ["en", "fr", "es", "pt"],
    }
    return data, translation.load(context(data, tmp_path, translate=settings))
