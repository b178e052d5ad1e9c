"""The backend `openai` against a server on loopback that fails, refuses, hangs and limits: nothing is lost."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pytest

from babelshelf.core.errors import InputError
from babelshelf.core.params import read, section
from babelshelf.core.work_cache import WorkCache
from babelshelf.translate.backends.openai.endpoint import HARMLESS
from babelshelf.translate.params import BACKENDS, TranslateParams
from babelshelf.translate.translation import run
from babelshelf.translate.translator import Translation, UnfinishedError, load_translator
from tests.helpers.endpoints import FakeEndpoint, HttpReply, completed, failed, serving

NANO = read(Path(__file__).parents[3] / "profiles" / "nano.yaml")["translate"]
GLOSSARY = Path("none")
REQUESTS = pl.DataFrame(
    [("de", "en", f"query {i}") for i in range(40)], schema=["target", "language", "query"], orient="row"
)
QUERY = re.compile(r"query \d+")
Serve = Callable[[Callable[[str, int], HttpReply]], FakeEndpoint]


def endpoint_of(answer: Callable[[str, int], HttpReply], url: str = "") -> FakeEndpoint:
    """An endpoint whose prompts are known by their queries."""
    return FakeEndpoint(answer, lambda prompt: next(iter(QUERY.findall(prompt)), HARMLESS), url)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(serving(endpoint_of(answer)))


def params(endpoint: FakeEndpoint, **changes: object) -> TranslateParams:
    own = BACKENDS.defaults("openai") | {"base_url": endpoint.url, "concurrency": 4, "retries": 8} | changes
    values = NANO | {"backend": "openai", "openai": own, "rows_per_language": 100}
    return section(TranslateParams, {"translate": values}, "translate", None)


def translate(endpoint: FakeEndpoint, cache: Path, batch_size: int = 20, **changes: object) -> list[Translation]:
    return run(REQUESTS, load_translator(params(endpoint, **changes), GLOSSARY), WorkCache(cache), batch_size)


GOOD = [Translation(f"{query} auf Deutsch") for query in REQUESTS["query"]]


def good(query: str, _before: int = 0) -> HttpReply:
    return completed(f" {query} auf Deutsch\nAnd more.")


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_the_request_is_the_params_and_the_key_the_environments(
    serve: Serve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    api: str,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-of-the-test")
    endpoint = serve(good)
    made = translate(endpoint, tmp_path, api=api, request={"temperature": 0, "max_tokens": 9, "seed": 3})
    assert made == GOOD
    assert endpoint.tokens == {"Bearer secret-of-the-test"}
    body = next(body for body in endpoint.bodies if "query 7 " in str(body))
    prompt = "Translate the following English sentence into German:\nquery 7 <de>"
    asked = {"prompt": prompt} if api == "completions" else {"messages": [{"role": "user", "content": prompt}]}
    expected = asked | {"model": BACKENDS.defaults("openai")["model"], "temperature": 0, "max_tokens": 9, "seed": 3}
    assert {key: body[key] for key in expected} == expected
    assert "secret-of-the-test" not in load_translator(params(endpoint), GLOSSARY).identity


def test_an_endpoint_that_fails_half_of_the_time_loses_nothing(serve: Serve, tmp_path: Path) -> None:
    statuses = [500, 503, 429, 408]
    endpoint = serve(lambda query, before: good(query) if before % 2 else failed(statuses[int(query.split()[1]) % 4]))
    assert translate(endpoint, tmp_path) == GOOD
    assert set(endpoint.asked.values()) == {2}
    assert translate(endpoint, tmp_path) == GOOD
    assert set(endpoint.asked.values()) == {2}  # all from the cache


def test_what_still_fails_is_one_error_and_a_rerun_asks_for_it_alone(serve: Serve, tmp_path: Path) -> None:
    down = {"query 3", "query 11", "query 25"}
    endpoint = serve(lambda query, _before: failed(503) if query in down else good(query))
    with pytest.raises(UnfinishedError) as raised:
        translate(endpoint, tmp_path, retries=2)
    expected = f"{endpoint.url}: 2 of 20 requests failed, each after up to 2 retries: Error code: 503"
    assert raised.value.message.startswith(expected)
    assert endpoint.asked["query 3"] == endpoint.asked["query 11"] == 3
    assert "query 20" not in endpoint.asked  # of the second batch
    down.clear()
    endpoint.asked.clear()
    assert translate(endpoint, tmp_path, retries=2) == GOOD
    assert endpoint.asked == dict.fromkeys(["query 3", "query 11", *(f"query {i}" for i in range(20, 40))], 1)


def test_an_endpoint_that_is_down_is_given_up(serve: Serve, tmp_path: Path) -> None:
    endpoint = serve(lambda _query, _before: failed(500))
    with pytest.raises(UnfinishedError, match=r"of 20 requests failed"):
        translate(endpoint, tmp_path, retries=0)
    assert len(endpoint.asked) <= 2 * 4 + 1  # the limit, and those under way
    nobody = endpoint_of(good, url="http://127.0.0.1:9/v1")
    with pytest.raises(UnfinishedError, match="Connection error"):
        translate(nobody, tmp_path, retries=0)


def test_a_wrong_key_stops_at_once(serve: Serve, tmp_path: Path) -> None:
    endpoint = serve(lambda _query, _before: failed(401))
    with pytest.raises(UnfinishedError, match=r"401.* Is OPENAI_API_KEY set, and right\?"):
        translate(endpoint, tmp_path)
    assert set(endpoint.asked.values()) == {1}
    assert len(endpoint.asked) <= 4


@pytest.mark.parametrize("status", [400, 422])
def test_a_text_that_is_refused_is_an_empty_translation_and_all_others_are_made(
    serve: Serve, tmp_path: Path, status: int
) -> None:
    bad = {"query 0", "query 7"}
    endpoint = serve(lambda query, _before: failed(status) if query in bad else good(query))
    made = translate(endpoint, tmp_path)
    assert made == [
        Translation("") if query in bad else done for query, done in zip(REQUESTS["query"], GOOD, strict=True)
    ]
    endpoint.asked.clear()
    assert translate(endpoint, tmp_path) == made
    assert not endpoint.asked


def test_a_batch_of_refused_texts_alone_is_told_from_a_request_that_is_wrong(serve: Serve, tmp_path: Path) -> None:
    endpoint = serve(lambda query, _before: good(query) if query == HARMLESS else failed(400))
    assert translate(endpoint, tmp_path) == [Translation("")] * 40
    assert endpoint.asked[HARMLESS] == 1


@pytest.mark.parametrize(
    ("status", "hint"), [(400, "It refuses any text"), (422, "It refuses any text"), (404, "Are base_url and model")]
)
def test_a_request_that_is_wrong_stops_at_once(serve: Serve, tmp_path: Path, status: int, hint: str) -> None:
    endpoint = serve(lambda _query, _before: failed(status))
    with pytest.raises(UnfinishedError, match=f"of 20 requests failed.*{status}.* {hint}") as raised:
        translate(endpoint, tmp_path)
    assert set(raised.value.made) == {None}
    assert len(endpoint.asked) <= 4 + 1
    assert endpoint.asked[HARMLESS] == (status != 404)


def test_empty_refused_and_cut_off_replies_are_answers(serve: Serve, tmp_path: Path) -> None:
    odd = {
        "query 0": completed(""),
        "query 1": completed(None),
        "query 2": completed("I cannot", refusal="no", message={"role": "assistant", "content": "I", "refusal": "no"}),
        "query 3": completed("I", "content_filter"),
        "query 4": failed(400, "content_filter"),
        "query 5": completed("sehr sehr sehr", "length"),
        "query 6": (200, {}, {"id": "x", "object": "x", "created": 0, "model": "m", "choices": []}),
    }
    endpoint = serve(lambda query, _before: odd.get(query) or good(query))
    made = translate(endpoint, tmp_path, api="chat")
    assert made[:7] == [*[Translation("")] * 5, Translation("sehr sehr sehr", complete=False), Translation("")]
    assert made[7:] == GOOD[7:]
    assert set(endpoint.asked.values()) == {1}
    assert translate(endpoint, tmp_path, api="chat") == made
    assert set(endpoint.asked.values()) == {1}


def test_retry_after_is_waited_for(serve: Serve, tmp_path: Path) -> None:
    times: list[float] = []

    def answer(query: str, before: int) -> HttpReply:
        if query != "query 0":
            return good(query)
        times.append(time.monotonic())
        return good(query) if before else failed(429, **{"Retry-After": "1"})

    assert translate(serve(answer), tmp_path) == GOOD
    assert times[1] - times[0] > 0.9  # it was told to wait for a second


def test_a_request_that_hangs_is_asked_again_after_the_timeout(serve: Serve, tmp_path: Path) -> None:
    def answer(query: str, before: int) -> HttpReply:
        if query == "query 5" and not before:
            time.sleep(3)
        return good(query)

    endpoint = serve(answer)
    assert translate(endpoint, tmp_path, timeout=0.5) == GOOD
    assert endpoint.asked["query 5"] == 2


def test_requests_at_once_are_bounded(serve: Serve, tmp_path: Path) -> None:
    def slow(query: str, _before: int) -> HttpReply:
        time.sleep(0.02)
        return good(query)

    endpoint = serve(slow)
    translate(endpoint, tmp_path, concurrency=3)
    assert endpoint.most_at_once == 3


def test_what_is_no_endpoint_of_this_api_is_named(serve: Serve, tmp_path: Path) -> None:
    endpoint = serve(lambda _query, _before: (200, {"Content-Type": "text/html"}, {"hello": "<html>"}))
    with pytest.raises(UnfinishedError, match="not of OpenAI's API"):
        translate(endpoint, tmp_path)
    assert len(endpoint.asked) <= 4


def test_a_key_in_the_url_is_refused() -> None:
    with pytest.raises(InputError, match=r"translate\.openai\.base_url"):
        params(endpoint_of(good, url="https://user:secret@host/v1"))  # pragma: allowlist secret
