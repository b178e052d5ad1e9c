"""Each rule of the checks is broken once, in a marketplace that passes otherwise."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from babelshelf.core.errors import InputError
from babelshelf.core.rows import ROW_SCHEMA
from babelshelf.prepare.leak_checks import check, held_out_keys
from babelshelf.prepare.marketplace import Marketplace, TaskData
from babelshelf.prepare.statistics import noise_share, statistics
from babelshelf.tables.truth import FACTS_SCHEMA, Truth, no_truth

Row = dict[str, object]


def row(task: str, name: str, query: str, group: str, label: int | None = 1, *, language: str = "en") -> Row:
    made = {"id": f"{task}-{name}", "task": task, "language": language, "query": query, "candidate": f"Path {name}"}
    return made | {"label": label, "origin": "original", "parent_id": None, "group": group}


def rows(*made: Row) -> pl.DataFrame:
    return pl.DataFrame(list(made), schema=ROW_SCHEMA)


def task_data(task: str) -> TaskData:
    train = rows(
        row(task, "t1", f"{task} boots", f"{task}1"), row(task, "t2", f"{task} bottes", f"{task}1", 0, language="fr")
    )
    dev = rows(row(task, "d1", f"{task} lamp", f"{task}2"))
    test = rows(row(task, "e1", f"{task} Hüte", f"{task}3", None, language="de"))
    names = {"t1": True, "t2": True, "d1": False, "e1": False}
    candidates = pl.DataFrame({"candidate": [f"Path {name}" for name in names], "in_train": list(names.values())})
    return TaskData(train, dev, test, candidates, no_truth())


def shop(**changes: object) -> Marketplace:
    """A sound marketplace; `qc_train=...` and the like replace a table."""
    tasks = {
        task: replace(task_data(task), **{k[3:]: v for k, v in changes.items() if k.startswith(task)})
        for task in ("qc", "qi")
    }
    sound = pl.DataFrame({"text": ["qc boots", "Path t1"], "language": ["en", "en"], "kind": ["query", "candidate"]})
    return Marketplace(tasks, sound)


def test_a_sound_marketplace_passes() -> None:
    check(shop())


def test_a_group_in_two_splits_of_two_tasks() -> None:
    with pytest.raises(InputError, match=r"^2 rows of a group that is in several splits.*'qc-d1', 'qi-x'"):
        check(shop(qc_dev=rows(row("qc", "d1", "lamp", "g")), qi_test=rows(row("qi", "x", "Leuchte", "g"))))


@pytest.mark.parametrize("leaked", ["QC  Boots!", "qc bottes", "qi boots"])
@pytest.mark.parametrize("split", ["qc_dev", "qc_test"])
def test_a_query_of_dev_or_test_in_train_of_any_task_and_language(split: str, leaked: str) -> None:
    with pytest.raises(InputError, match=r"^1 dev or test rows whose query is also in train.*'qc-x'"):
        check(shop(**{split: rows(row("qc", "x", leaked, "new", language="pl"))}))


def test_an_id_in_two_splits() -> None:
    with pytest.raises(InputError, match=r"^2 ids that are there twice: 'qc-t1'"):
        check(shop(qc_dev=rows(row("qc", "t1", "lamp", "new"))))


def test_a_train_row_without_a_label() -> None:
    with pytest.raises(InputError, match=r"^1 train rows without a label: 'qi-t1'"):
        check(shop(qi_train=rows(row("qi", "t1", "boots", "new", None))))


def test_an_unknown_language() -> None:
    with pytest.raises(InputError, match=r"^1 rows with a language code that ISO 639-1 has not: 'qc-d1'"):
        check(shop(qc_dev=rows(row("qc", "d1", "lamp", "new", language="vn"))))


@pytest.mark.parametrize("name", ["d1", "unknown"])
def test_a_train_candidate_that_is_not_for_train(name: str) -> None:
    with pytest.raises(InputError, match=rf"^1 qc train rows whose candidate .* out of train: 'qc-{name}x'"):
        check(shop(qc_train=rows(row("qc", name, "boots", "new") | {"id": f"qc-{name}x"})))


def test_a_label_of_2_breaks_the_contract() -> None:
    with pytest.raises(InputError, match=r"^qi test, row 0 \(id 'qi-e1'\): the label is neither 0, 1 nor null"):
        check(shop(qi_test=rows(row("qi", "e1", "hats", "new", 2))))


def texts(text: str, kind: str) -> pl.DataFrame:
    return pl.DataFrame({"text": [text], "language": ["en"], "kind": [kind]})


@pytest.mark.parametrize("kind", ["query", "candidate"])
def test_a_held_out_query_in_the_texts(kind: str) -> None:
    with pytest.raises(InputError, match=r"^1 unlabelled texts that are queries of dev or test.*'QC hüte'"):
        check(replace(shop(), texts=texts("QC hüte", kind)))


def test_a_held_out_query_that_reads_like_a_candidate_may_be_in_the_texts() -> None:
    same = shop(qc_dev=rows(row("qc", "d1", "path: T1", "new")))
    check(replace(same, texts=texts("Path t1", "candidate")))


def test_a_message_names_20_offenders_and_their_count() -> None:
    with pytest.raises(InputError, match=r"^30 train rows") as raised:
        check(shop(qc_train=rows(*(row("qc", f"t{i}", f"boots {i}", "new", None) for i in range(30)))))
    assert str(raised.value).count("'qc-t") == 20


def test_held_out_keys_are_those_of_dev_and_test_of_all_tasks() -> None:
    assert held_out_keys(shop())["key"].to_list() == ["qc hüte", "qc lamp", "qi hüte", "qi lamp"]


# --- statistics ---


def test_statistics_of_a_split() -> None:
    train = rows(
        row("qc", "1", "boots", "a"),
        row("qc", "2", "boots", "a", 0),
        row("qc", "3", "boots", "a", None),
        row("qc", "4", "bottes", "a", 1, language="fr"),
        row("qc", "4", "hat", "b", 0, language="fr"),
    )
    found = statistics(shop(qc_train=train))
    assert found["qc"]["train"] == {
        "rows": 5,
        "queries": 3,
        "groups": 2,
        "candidates": 4,
        "rows_per_query": 5 / 3,
        "labelled_share": 0.8,
        "positive_share": 0.5,
        "languages": {"en": {"rows": 3, "positive_share": 0.5}, "fr": {"rows": 2, "positive_share": 0.5}},
        "noise_share": None,
    }
    assert found["qc"]["test"]["positive_share"] is None
    assert found["qi"]["candidates"] == {"all": 4, "in_train": 2}
    assert (found["texts"], found["glossary_terms"]) == ({"candidate": 1, "query": 1}, 0)


def test_noise_is_counted_where_the_truth_is_known() -> None:
    train = rows(
        row("qc", "1", "boots", "a", 1),  # right
        row("qc", "2", "boots", "a", 1),  # wrong
        row("qc", "3", "boots", "a", 0),  # right
        row("qc", "4", "hat", "unknown", 1),
        row("qc", "5", "boots", "a", None),
    )
    groups = pl.DataFrame({"key": ["a"], "facts": [["boot"]]}, schema=FACTS_SCHEMA)
    had = {"Path 1": ["boot", "red"], "Path 2": ["hat"], "Path 3": [], "Path 4": ["hat"], "Path 5": ["hat"]}
    candidates = pl.DataFrame({"key": list(had), "facts": list(had.values())}, schema=FACTS_SCHEMA)
    assert noise_share(train, Truth(groups, candidates)) == pytest.approx(1 / 3)
