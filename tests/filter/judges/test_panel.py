"""A panel of judges against servers on loopback: votes, majorities, limits, failures, and what a rerun asks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pytest

from babelshelf.core.errors import InputError
from babelshelf.core.params import load
from babelshelf.core.work_cache import WorkCache
from babelshelf.endpoint.reply import Reply
from babelshelf.filter.judges.limits import announcement, is_loopback
from babelshelf.filter.judges.panel import ask_panel
from babelshelf.filter.judges.replies import read_answer
from babelshelf.filter.params import FilterParams
from babelshelf.llm.prompts import load_template
from tests.filter.judges.panels import PATH, TEMPLATE, ask, params, query, rows
from tests.helpers import profiles
from tests.helpers.endpoints import FakeEndpoint, HttpReply, completed, failed, serving

Serve = Callable[[Callable[[str, int], HttpReply]], FakeEndpoint]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(serving(FakeEndpoint(answer, query)))


def yes(_query: str, _before: int = 0) -> HttpReply:
    return completed("Yes.", tokens=10)


def no(_query: str, _before: int = 0) -> HttpReply:
    return completed("no", tokens=10)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("yes", "yes"),
        (" No.\nBecause it is a shoe: yes", "no"),
        ("**Yes**", "yes"),
        ('"no"', "no"),
        ("_yes_", "yes"),
        ("Answer: YES", "yes"),
        ("The final answer is: no.", "no"),
        ("<think>yes or no?\nno</think>\n\nYes", "yes"),
        ("Yes, the item is", "yes"),
        ("yes or no", "unreadable"),
        ("no, yes", "unreadable"),
        ("Not relevant", "unreadable"),
        ("nothing", "unreadable"),
        ("yesterday", "unreadable"),
        ("I think yes", "unreadable"),
        ("<think>yes", "unreadable"),
        ("oui", "unreadable"),
        ("", "unreadable"),
    ],
)
def test_a_reply_is_read_where_it_is_clear(text: str, answer: str) -> None:
    assert read_answer(Reply(text)) == answer
    assert read_answer(Reply(text, refused=True)) == "refused"


def test_more_than_half_of_the_panel_decides_and_silent_judges_count(serve: Serve, tmp_path: Path) -> None:
    nonsense = serve(lambda _query, _before: completed("Perhaps"))
    mixed = serve(lambda query, _before: yes(query) if query.endswith(("0", "1", "2", "3")) else no(query))
    votes = ask({"a": serve(yes), "b": mixed, "c": nonsense}, tmp_path, number=10)
    assert votes.rows["id"].to_list() == [f"r{i}" for i in range(10)]
    assert votes.rows["label"].to_list() == [1] * 4 + [None] * 6  # one yes and one no of three is no majority
    assert votes.rows.row(5, named=True) == {"id": "r5", "label": None, "yes": ["a"], "no": ["b"], "none": ["c"]}
    assert votes.judges["b"] == {
        "yes": 4, "no": 6, "unreadable": 0, "refused": 0, "failed": 0, "calls": 10, "tokens": 100,
    }  # fmt: skip
    assert votes.judges["c"]["unreadable"] == 10
    assert votes.judges["c"]["calls"] == 20
    assert votes.warnings == ["check: judge c: no vote on 10 unreadable of 10 rows"]
    pair = ask({"a": serve(yes), "b": serve(no)}, tmp_path, number=1)
    assert pair.rows["label"].to_list() == [None]  # a tie


def test_a_judge_that_says_the_same_of_all_rows_is_told(serve: Serve, tmp_path: Path) -> None:
    mixed = serve(lambda query, _before: yes(query) if query == "query 3" else no(query))
    votes = ask({"a": serve(yes), "b": mixed}, tmp_path)
    (line,) = votes.warnings
    assert line.startswith("check: judge a: yes to all 20 rows that it voted on: does the model follow the prompt?")


def test_what_cannot_be_read_is_asked_once_more_with_a_reminder(serve: Serve, tmp_path: Path) -> None:
    odd = {"query 3", "query 7"}
    endpoint = serve(lambda query, _before: completed("Hm.") if query in {*odd, "again query 7"} else yes(query))
    votes = ask({"a": endpoint}, tmp_path)
    assert endpoint.asked == dict.fromkeys([*(f"query {i}" for i in range(20)), "again query 3", "again query 7"], 1)
    assert votes.judges["a"]["yes"] == 19
    assert votes.rows["label"].to_list() == [None if i == 7 else 1 for i in range(20)]
    again = ask({"a": endpoint}, tmp_path)
    assert set(endpoint.asked.values()) == {1}  # nothing is asked again
    assert again.rows.equals(votes.rows)
    assert again.judges == votes.judges


def test_equal_texts_are_asked_about_once_and_another_model_is_asked_anew(serve: Serve, tmp_path: Path) -> None:
    endpoint = serve(yes)
    twice = pl.concat([rows(3), rows(3).with_columns(id=pl.col("id") + "/de")])
    votes = ask_panel(twice, TEMPLATE, params({"a": endpoint}), PATH, WorkCache(tmp_path))
    assert votes.rows["label"].to_list() == [1] * 6
    assert set(endpoint.asked.values()) == {1}
    ask({"a": endpoint}, tmp_path, 3, {"model": "other"})
    assert set(endpoint.asked.values()) == {2}


def test_one_model_twice_is_no_second_opinion() -> None:
    endpoint = FakeEndpoint(yes, url="http://x")
    with pytest.raises(ValueError, match="a and b are one model at one endpoint"):
        params({"a": endpoint, "b": endpoint})


def test_the_line_before_the_first_call_names_where_texts_go() -> None:
    services = {"near": "http://localhost:8001/v1", "far": "https://api.example.com/v1", "cached": "http://other/v1"}
    panel = params({name: FakeEndpoint(yes, url=url) for name, url in services.items()})
    line = announcement(panel, {"near": ["abc"], "far": ["abc"], "cached": []}, 1)
    assert line.endswith("2 calls about 1 rows, about 42 tokens; their queries and candidates leave this machine for "
                         "api.example.com (far)")  # fmt: skip


def test_refused_and_failed_ones_are_counted_and_a_rerun_asks_for_the_failed_alone(
    serve: Serve, tmp_path: Path
) -> None:
    replies = {"query 2": failed(400), "query 4": failed(503), "query 5": completed("I can't", "content_filter")}
    endpoint = serve(lambda query, _before: replies.get(query) or yes(query))
    votes = ask({"a": endpoint}, tmp_path)
    counts = votes.judges["a"]
    assert {name: counts[name] for name in ("yes", "refused", "failed", "unreadable")} == {
        "yes": 17, "refused": 2, "failed": 1, "unreadable": 0,
    }  # fmt: skip
    assert endpoint.asked["query 4"] == 3  # twice more, by the SDK
    line, *_ = votes.warnings
    assert line.startswith(
        "check: judge a: no vote on 2 refused and 1 failed of 20 rows; `dvc repro -f -s filter@<task>`"
    )
    endpoint.asked.clear()
    del replies["query 4"]
    assert ask({"a": endpoint}, tmp_path).judges["a"]["yes"] == 18
    assert endpoint.asked == {"query 4": 1}


def test_a_judge_that_is_down_ends_the_run_after_the_others_have_finished(serve: Serve, tmp_path: Path) -> None:
    good, bad = serve(yes), serve(lambda _query, _before: failed(401))
    with pytest.raises(InputError, match=r"judge bad: .*401.* names no key.* is kept: run again"):
        ask({"bad": bad, "good": good}, tmp_path)
    assert len(good.asked) == 20
    assert sum(bad.asked.values()) <= 4
    votes = ask({"bad": serve(no), "good": good}, tmp_path)
    assert sum(good.asked.values()) == 20
    assert votes.rows["no"].to_list() == [["bad"]] * 20


def test_limits_are_checked_before_the_first_call(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint = serve(yes)
    with pytest.raises(InputError, match=r"tasks.qc.filter.judges.max_calls: the judges would need 40, more than 39"):
        ask({"a": endpoint, "b": serve(no)}, tmp_path, max_calls=39)
    with pytest.raises(InputError, match=r"judges.max_tokens: .* would need about 5\d\d, more than 499"):
        ask({"a": endpoint}, tmp_path, max_tokens=499)
    assert not endpoint.asked
    ask({"a": endpoint}, tmp_path, max_calls=20)
    line, *_ = capsys.readouterr().out.splitlines()
    assert line == "judges: 20 calls about 20 rows, about 530 tokens; no text leaves this machine"
    ask({"a": endpoint}, tmp_path, max_calls=1, max_tokens=1)  # all is in the cache
    assert capsys.readouterr().out == ""


def test_second_calls_stop_at_the_limit_and_tokens_that_were_estimated_too_low_end_the_run(
    serve: Serve, tmp_path: Path
) -> None:
    endpoint = serve(lambda _query, _before: completed("Hm.", tokens=100))
    votes = ask({"a": endpoint}, tmp_path / "a", max_calls=25)
    assert sum(endpoint.asked.values()) == 25
    assert votes.judges["a"]["unreadable"] == 20
    with pytest.raises(InputError, match="max_tokens: spent before all calls were made"):
        ask({"a": endpoint}, tmp_path / "b", changes={"concurrency": 1}, max_tokens=700)
    assert sum(endpoint.asked.values()) == 25 + 8  # two batches of four


def test_each_service_gets_its_own_key(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "another-key")
    monkeypatch.setenv("JUDGE_KEY", "own-key")
    own, local = serve(yes), serve(yes)
    ask({"own": own}, tmp_path, changes={"key_env": "JUDGE_KEY"})
    ask({"local": local}, tmp_path)
    assert own.tokens == {"Bearer own-key"}
    assert local.tokens == {"Bearer none"}


def test_a_judge_that_is_slow_limits_the_rate_and_fails_is_asked_within_its_concurrency(
    serve: Serve, tmp_path: Path
) -> None:
    def answer(query: str, before: int) -> HttpReply:
        time.sleep(0.002 * (int(query.removeprefix("query ")) % 5))
        return yes(query) if before else failed((429, 500, 503)[int(query.removeprefix("query ")) % 3])

    endpoint = serve(answer)
    votes = ask({"a": endpoint}, tmp_path, number=40, changes={"concurrency": 3})
    assert votes.rows["label"].to_list() == [1] * 40
    assert set(endpoint.asked.values()) == {2}
    assert endpoint.most_at_once <= 3


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.9", True), ("::1", True), ("10.0.0.1", False), ("localhost.example.com", False)],
)
def test_only_loopback_is_this_machine(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected


def test_wrong_params_are_told_by_their_path(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    values = profiles.variants()["judges.yaml"]
    judges = values["tasks"]["qi"]["filter"]["judges"]
    del judges["max_calls"]
    judges["panel"]["gemma"]["key_env"] = "sk-secret"
    del judges["panel"]["qwen"]["model"]
    profiles.dump(values, file)
    with pytest.raises(InputError) as raised:
        load(FilterParams, "filter", "qi", file)
    missing = "missing key; profiles/judges.yaml has its usual value"
    assert f"tasks.qi.filter.judges.panel.qwen.model: {missing}" in raised.value.message
    assert f"tasks.qi.filter.judges.max_calls: {missing}" in raised.value.message
    assert "tasks.qi.filter.judges.panel.gemma.key_env: String should match pattern" in raised.value.message
    profiles.dump(profiles.variants()["judges.yaml"], file)
    assert load(FilterParams, "filter", "qi", file).judges is not None


def test_the_prompts_of_the_repository_ask_about_the_pair(root: Path) -> None:
    for task in ("qc", "qi"):
        pair = {"task": task, "language": "de", "query": "gartenstuhl", "candidate": "Garden Chair"}
        prompt = load_template(root / f"prompts/judge/{task}.txt").render(pair)
        assert all(text in prompt for text in ("German", "gartenstuhl", "Garden Chair", "yes or no"))


def test_a_reply_has_to_be_short() -> None:
    with pytest.raises(ValueError, match="needs max_tokens or max_completion_tokens"):
        params({"a": FakeEndpoint(yes, url="http://x")}, {"request": {"temperature": 0}})
    assert params({"a": FakeEndpoint(yes, url="http://x")}, {"request": {"max_completion_tokens": 3}})


def test_without_the_package_the_install_command_is_told(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = serve(yes)
    monkeypatch.setitem(sys.modules, "babelshelf.endpoint.client", None)
    with pytest.raises(InputError, match=r"judges need a package: pip install -e '\.\[openai\]'"):
        ask({"a": endpoint}, tmp_path)
