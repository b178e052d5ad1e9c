"""A real headless browser (Debian's chromium, driven by selenium), and commands that serve a page to it.

Tests take the fixture `browser`, which is skipped with the reason where there is no chromium.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from selenium.webdriver.remote.webelement import WebElement

ROOT = Path(__file__).parents[2]
SECONDS = 180.0  # at most, until a page shows something: machines are busy
URL = re.compile(r"http://127\.0\.0\.1:\d+/\?token=\S+")
FLAGS = (
    "--headless=new",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # what would leave the machine fails at once
)
ENTER, TAB = "\ue007", "\ue004"  # keys as WebDriver has them
ResultT = TypeVar("ResultT")


def missing() -> str:
    """Why there is no browser; empty where there is one."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return f"no {program}: apt-get install chromium chromium-driver"
    return ""


class Browser:
    """A browser with one tab."""

    def __init__(self) -> None:
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for flag in (*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        service = webdriver.ChromeService(
            executable_path=shutil.which("chromedriver")
        )  # else selenium would look for one on the web
        self.driver = webdriver.Chrome(options=options, service=service)

    def open(self, url: str, width: int = 1200, height: int = 900) -> None:
        """Open a page in a window of a size, in CSS pixels, and forget what was asked for before."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.get_log("performance")
        self.driver.get(url)

    def find(self, selector: str) -> WebElement:
        """The first element of a CSS selector, as soon as there is one."""
        return self.wait(lambda: self.driver.find_elements("css selector", selector))[0]

    def text(self, selector: str) -> str:
        """The text of the first element of a selector; empty where there is none."""
        script = "return document.querySelector(arguments[0])?.textContent?.trim() ?? ''"
        return str(self.driver.execute_script(script, selector))

    def press(self, key: str) -> None:
        """Press a key on the page."""
        self.driver.find_element("css selector", "body").send_keys(key)

    def type_keys(self, *keys: str) -> None:
        """Press keys where the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def wait(self, condition: Callable[[], ResultT], what: Callable[[], str] = str) -> ResultT:
        """What `condition` gives as soon as it is true; `what` says what there is if that is never."""
        end = time.monotonic() + SECONDS
        while not (result := condition()):
            if time.monotonic() > end:
                raise AssertionError(f"waited {SECONDS:.0f} s: {what()}")
            time.sleep(0.01)
        return result

    def wait_for_text(self, selector: str, part: str) -> None:
        """Wait until an element has a text."""
        self.wait(lambda: part in self.text(selector), lambda: f"{selector}: {self.text(selector)!r}, not {part!r}")

    def hosts(self) -> set[str]:
        """Hosts that the page asked for anything, by HTTP or a websocket, since it was opened."""
        found = set()
        for entry in self.driver.get_log("performance"):
            message: dict[str, Any] = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = urlsplit(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                url = urlsplit(message["params"]["url"])
            else:
                continue
            if url.scheme not in {"data", "blob", "chrome"}:
                found.add(url.hostname or "")
        return found

    def scrolls_sideways(self) -> bool:
        """Whether the page is wider than the window."""
        script = "return document.scrollingElement.scrollWidth > window.innerWidth"
        return bool(self.driver.execute_script(script))

    def screenshot(self, file: Path) -> None:
        """Write a PNG of the window."""
        self.driver.save_screenshot(str(file))

    def quit(self) -> None:
        """End the browser."""
        self.driver.quit()


@dataclass(frozen=True)
class ServedPage:
    """A command that serves a page: its URL with the token, and the process."""

    url: str
    process: subprocess.Popen[str]


@contextmanager
def served(arguments: Sequence[str], folder: Path) -> Iterator[ServedPage]:
    """Run `python -m ...` in a folder until it prints the URL of its page; it is killed at the end."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=environment,
        text=True,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    lines: list[str] = []
    reading = threading.Thread(target=lambda: lines.extend(process.stdout or ()), daemon=True)
    try:
        yield ServedPage(_url(process, lines, reading), process)
    finally:
        process.kill()
        process.wait()
        if reading.is_alive():
            reading.join(SECONDS)


def _url(process: subprocess.Popen[str], lines: list[str], reading: threading.Thread) -> str:
    reading.start()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        ended = process.poll() is not None and not reading.is_alive()
        for line in list(lines):
            if found := URL.search(line):
                return found[0]
        if ended:
            break
        time.sleep(0.02)
    pytest.fail("no URL was printed:\n" + "".join(lines))
