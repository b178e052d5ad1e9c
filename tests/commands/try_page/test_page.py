"""The page of `babelshelf try` in a real browser: by keys alone, in two widths, from right to left, and offline."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.browser import ENTER, ROOT, TAB, Browser, ServedPage, served

QUERY = "input[aria-label='Query']"
FIRST = "details.found:first-child"


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPage]:
    assert browser  # no server where there is none
    with served(["tests.commands.try_page.shop_page", str(tmp_path_factory.mktemp("cache"))], ROOT) as started:
        yield started


def focus(browser: Browser, what: str) -> str:
    """A property of the element that has the focus."""
    return str(browser.driver.execute_script(f"return document.activeElement.{what}"))


def ask(browser: Browser, page: ServedPage, query: str, width: int) -> None:
    """Open the page, type a query into the field that has the focus, and press Enter."""
    browser.open(page.url, width)
    browser.find(QUERY)
    browser.wait(lambda: focus(browser, "getAttribute('aria-label')") == "Query")
    browser.type_keys(query, ENTER)
    browser.wait_for_text("[role=status]", "nearest of 4 candidates")


@pytest.mark.parametrize("width", [1200, 390])
def test_a_query_its_answers_and_why_by_keys_alone(browser: Browser, page: ServedPage, width: int) -> None:
    ask(browser, page, "red lamp", width)
    assert "guessed. 4 nearest of 4 candidates, 2 relevant" in browser.text("[role=status]")
    assert browser.text(f"{FIRST} .path") == "homelampsred lamps"
    assert browser.text(f"{FIRST} .number") == "0.900 relevant"
    marks = browser.driver.find_elements("css selector", f"{FIRST} .threshold")
    assert [mark.get_attribute("style") for mark in marks] == ["inset-inline-start: 45%;", "inset-inline-start: 50%;"]
    keys = 0
    while focus(browser, "tagName") != "SUMMARY":
        browser.type_keys(TAB)
        keys += 1
        assert keys < 6
    browser.type_keys(ENTER)
    browser.find(f"{FIRST} .pairs")
    why = browser.text(f"{FIRST} .why")
    assert "translation of “red lamp” (en)" in why
    assert "Wrong: 1 of the 2 test pairs" in why
    assert "Not measured" in why  # the second model
    assert not browser.scrolls_sideways()
    assert browser.hosts() == {"127.0.0.1"}


def test_text_from_right_to_left_and_the_threshold_of_its_language(browser: Browser, page: ServedPage) -> None:
    ask(browser, page, "مصباح أحمر", 390)
    assert "Arabic, guessed" in browser.text("[role=status]")
    assert browser.find(QUERY).get_attribute("dir") == "auto"
    mark = browser.find(f"{FIRST} .threshold")
    assert mark.get_attribute("style") == "inset-inline-start: 95%;"
    browser.find(f"{FIRST} summary").send_keys(ENTER)
    row = browser.find(f"{FIRST} td[lang=ar]")
    assert (row.text, row.get_attribute("dir")) == ("مصباح أحمر", "rtl")
    assert not browser.scrolls_sideways()


def test_another_language_asks_again(browser: Browser, page: ServedPage) -> None:
    ask(browser, page, "red lamp", 1200)
    browser.type_keys(TAB)
    browser.type_keys("Arabic")
    browser.wait_for_text("[role=status]", "Arabic. 4 nearest")
    assert browser.text(f"{FIRST} .number") == "0.900 irrelevant"
