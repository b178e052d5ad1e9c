"""The page in a real browser: keys, undo, filters, scripts from right to left, a phone's width, and what it loads."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.browser import Browser, ServedPage, served
from tests.helpers.review_folder import many_rows, write_review_folder

COMMAND = ("babelshelf.cli", "review", "qi", "--name", "Ana", "--no-browser")
BACKSPACE = "\ue003"


def lines(folder: Path) -> list[dict[str, Any]]:
    """The lines of the person's file."""
    file = folder / "reviews/qi/ana.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []


def labels(folder: Path) -> list[Any]:
    return [line.get("label", "undo") for line in lines(folder)]


@pytest.fixture
def folder(browser: Browser, tmp_path: Path) -> Path:
    assert browser
    return write_review_folder(tmp_path / "repository")


@pytest.fixture
def page(folder: Path) -> Iterator[ServedPage]:
    with served(COMMAND, folder) as one:
        yield one


def test_keys_save_decisions_and_undo_takes_them_back(browser: Browser, folder: Path, page: ServedPage) -> None:
    browser.open(page.url)
    browser.wait_for_text(".query", "حذاء رياضي nike")  # the worst first
    browser.wait_for_text(".progress", "ana: 0 of 3 decided")
    browser.press("y")
    browser.wait_for_text(".saved", "“yes” on \u2067حذاء")
    assert labels(folder) == [1]
    browser.wait_for_text(".query", "lampe rot")
    assert browser.text(".gloss") == "English: red light (translation in the data)"
    browser.press("n")
    browser.wait_for_text(".progress", "2 of 3")
    browser.press(BACKSPACE)
    browser.wait_for_text(".saved", "took back “no” on \u2068lampe rot")
    assert labels(folder) == [1, 0, "undo"]
    browser.wait_for_text(".query", "lampe rot")
    browser.find("[data-shortcut=u]").click()
    browser.wait_for_text(".query", "נעל כחולה")
    assert labels(folder) == [1, 0, "undo", None]
    assert lines(folder)[0] == {"language": "ar", "query": "حذاء رياضي nike", "candidate": "Desk Lamp"} | {
        "label": 1,
        "was": 0,
        "at": lines(folder)[0]["at"],
    }
    browser.open(page.url)  # after a reload, and by the undo of an earlier tab's decision
    browser.wait_for_text(".progress", "2 of 3")
    browser.press("z")
    browser.wait_for_text(".saved", "took back “unsure” on \u2068lampe rot")
    for key in "nn":
        shown = browser.find(".review-card").get_attribute("data-shown")
        browser.press(key)
        browser.wait(lambda before=shown: browser.find(".review-card").get_attribute("data-shown") != before)
    browser.wait_for_text(".review-card", "dvc repro filter@qi")
    assert labels(folder) == [1, 0, "undo", None, "undo", 0, 0]


def test_a_key_counts_only_for_what_was_shown(browser: Browser, folder: Path, page: ServedPage) -> None:
    browser.open(page.url)
    browser.find(".query")
    browser.driver.execute_script("emitEvent('shortcut', {key: 'y', shown: '2'})")
    browser.driver.execute_script("emitEvent('shortcut', {key: 'n', shown: '0'})")
    browser.wait_for_text(".progress", "1 of 3")
    assert labels(folder) == [0]


def test_what_could_not_be_written_is_not_shown_as_saved(browser: Browser, folder: Path, page: ServedPage) -> None:
    browser.open(page.url)
    browser.wait_for_text(".progress", "0 of 3")
    (folder / "reviews/qi/ana.jsonl").mkdir(parents=True)
    browser.press("y")
    browser.wait_for_text(".saved", "Not saved: Is a directory")
    (folder / "reviews/qi/ana.jsonl").rmdir()
    assert "0 of 3" in browser.text(".progress")
    browser.press("n")
    browser.wait_for_text(".progress", "1 of 3")
    assert labels(folder) == [0]


def test_filters_and_directions(browser: Browser, page: ServedPage) -> None:
    for width in (1200, 390):
        browser.open(page.url, width)
        browser.wait_for_text(".query", "حذاء")
        assert not browser.scrolls_sideways()
        query, candidate = browser.find(".query"), browser.find(".candidate")
        assert (query.value_of_css_property("direction"), query.get_attribute("lang")) == ("rtl", "ar")
        assert candidate.value_of_css_property("direction") == "ltr"
        browser.find("[data-filter=language]").click()
        options = browser.wait(lambda: browser.driver.find_elements("css selector", ".q-item"))
        names = [option.get_attribute("textContent") for option in options]  # `text` is empty until the menu has opened
        assert names == ["all", "Arabic", "German", "Hebrew"]
        browser.driver.execute_script("arguments[0].click()", options[3])  # it may still be moving
        browser.wait_for_text(".query", "נעל כחולה")
        assert browser.find(".query").value_of_css_property("direction") == "rtl"
        assert "0 of 1" in browser.text(".progress")
        assert not browser.scrolls_sideways()
        assert browser.hosts() == {"127.0.0.1"}


@pytest.mark.slow
def test_of_2000_decisions_a_kill_loses_none(browser: Browser, tmp_path: Path) -> None:
    count, rounds = 2000, 2
    folder = write_review_folder(tmp_path / "repository", list(many_rows(count)))
    file, total, started = folder / "reviews/qi/ana.jsonl", 0, time.monotonic()
    for _ in range(rounds):
        with served(COMMAND, folder) as page:
            browser.open(page.url)
            browser.wait_for_text(".progress", f"{total:,} of {count:,}")
            for _ in range(count // rounds):
                browser.press("ynu"[total % 3])
                total += 1
                browser.wait_for_text(".progress", f"{total:,} of {count:,}")
                assert file.read_bytes().count(b"\n") == total  # on the disk as soon as the page says so
            page.process.kill()
    print(f"{count} decisions in {time.monotonic() - started:.0f} s")
    assert labels(folder) == [(1, 0, None)[number % 3] for number in range(count)]
    assert len({line["query"] for line in lines(folder)}) == count
