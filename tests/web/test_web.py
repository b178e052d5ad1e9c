"""Local pages: who may see one, in a real browser what it loads, its keys and the direction of texts."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from babelshelf.core.errors import InputError
from babelshelf.web import server
from babelshelf.web.access import TokenRequired
from babelshelf.web.layout import direction
from tests.helpers.browser import ROOT, Browser, ServedPage, served
from tests.web.example_page import MARKUP

OWN = {"host": "127.0.0.1:8000", "cookie": "babelshelf-8000=secret"}


def ask(headers: dict[str, str], query: str = "", path: str = "/", kind: str = "http") -> list[dict[str, Any]]:
    """What a client is sent; "passed on" where the application behind is asked."""
    sent: list[dict[str, Any]] = []

    async def application(_scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        await send({"type": "passed on"})

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:  # noqa: ANN401
        sent.append(message)

    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "path": path, "query_string": query.encode(), "headers": pairs}
    asyncio.run(TokenRequired(application, "secret", 8000)(scope, receive, send))
    return sent


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("origin", [{}, {"origin": "http://127.0.0.1:8000"}])
def test_the_cookie_opens_requests_and_websockets(kind: str, origin: dict[str, str]) -> None:
    assert ask(OWN | origin, kind=kind)[0]["type"] == "passed on"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:8000"},
        OWN | {"cookie": "babelshelf-8000=other"},
        OWN | {"cookie": "babelshelf-8001=secret"},
        OWN | {"host": "evil.example:8000"},
        OWN | {"origin": "http://evil.example"},
        OWN | {"origin": "null"},
    ],
)
def test_without_the_token_or_from_another_site_nothing_is_open(headers: dict[str, str]) -> None:
    assert ask(headers, path="/_nicegui/static/x.js")[0]["status"] == 403
    assert ask(headers, kind="websocket") == [{"type": "websocket.close", "code": 1008}]


def test_the_token_in_the_url_becomes_a_cookie() -> None:
    host = {"host": "127.0.0.1:8000"}
    response = ask(host, query="token=secret")[0]
    headers = dict(response["headers"])
    assert (response["status"], headers[b"location"]) == (303, b"/")
    assert headers[b"set-cookie"] == b"babelshelf-8000=secret; Path=/; HttpOnly; SameSite=Strict"
    assert ask(host, query="token=other")[0]["status"] == 403
    assert ask({"host": "evil.example"}, query="token=secret")[0]["status"] == 403
    assert ask(host, query="token=secret", kind="websocket")[0]["type"] == "websocket.close"


@pytest.mark.parametrize(
    ("language", "expected"), [("ar", "rtl"), ("he", "rtl"), ("fa", "rtl"), ("de", "auto"), ("", "auto")]
)
def test_direction(language: str, expected: str) -> None:
    assert direction(language) == expected


def test_a_missing_package_is_answered_with_its_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r"babelshelf review needs .* pip install -e '\.\[pages\]'"):
        server.require_nicegui("babelshelf review")


@pytest.fixture(scope="module")
def example(browser: Browser) -> Iterator[ServedPage]:
    assert browser
    with served(["tests.web.example_page"], ROOT) as page:
        yield page


@pytest.mark.parametrize("width", [1200, 390])
def test_a_page_in_a_browser(browser: Browser, example: ServedPage, width: int) -> None:
    browser.open(example.url, width)
    browser.wait_for_text(".data", MARKUP)
    assert "token" not in browser.driver.current_url
    assert browser.find(".arabic").value_of_css_property("direction") == "rtl"
    assert not browser.scrolls_sideways()
    browser.press("y")
    browser.wait_for_text(".log", "y1")
    browser.press("\ue003")  # backspace
    browser.wait_for_text(".log", "y1 z2")
    browser.find("input").send_keys("yz")
    browser.find("[data-shortcut=y]").click()
    browser.wait_for_text(".log", "y1 z2 y2")
    assert browser.text(".log") == "y1 z2 y2"
    assert browser.hosts() == {"127.0.0.1"}


def test_the_browser_loads_nothing_from_elsewhere(browser: Browser, example: ServedPage) -> None:
    browser.open(example.url)
    browser.find(".data")
    script = """
        const done = arguments[arguments.length - 1];
        document.addEventListener('securitypolicyviolation', event => done(event.blockedURI), {once: true});
        fetch('http://example.com/').catch(() => {});
    """
    assert browser.driver.execute_async_script(script).startswith("http://example.com")


def test_a_page_without_the_token_is_refused(browser: Browser, example: ServedPage) -> None:
    browser.driver.delete_all_cookies()
    browser.open(example.url.partition("?")[0])
    assert "open the URL that the command printed" in browser.text("body")


def test_the_server_stops_by_a_signal(browser: Browser) -> None:
    with served(["tests.web.example_page"], ROOT) as page:
        browser.open(page.url)
        browser.find(".data")
        page.process.send_signal(signal.SIGINT)
        assert page.process.wait(30) == 0
