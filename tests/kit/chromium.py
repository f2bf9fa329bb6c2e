"""Chromium without a window, and what a person sees in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
PROMPTLY_S = 20

_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--window-size=1200,900", "--lang=en"),
)


@contextmanager
def running_chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    """Run Chromium; profile: an empty folder of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


class Browser:
    """A Chromium that looks at one site."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver = driver
        self.url = url

    def open(self, path: str) -> None:
        self.driver.get(f"{self.url}{path}")

    def find(self, selector: str) -> WebElement:
        element: WebElement = self.driver.find_element(By.CSS_SELECTOR, selector)
        return element

    def texts(self, selector: str) -> list[str]:
        """Return what the elements show, all at one moment."""
        script = "return [...document.querySelectorAll(arguments[0])].map((part) => part.innerText)"
        texts: list[str] = self.driver.execute_script(script, selector)
        return texts

    def text(self, selector: str) -> str:
        """Return what the first such element shows; nothing if there is none."""
        return next(iter(self.texts(selector)), "")

    def press(self, selector: str) -> None:
        """Click without waiting for the page to be idle, which a busy one never is."""
        self.driver.execute_script("document.querySelector(arguments[0]).click()", selector)

    def until(self, holds: Callable[[], object]) -> None:
        """Wait until something is so."""
        WebDriverWait(self.driver, PROMPTLY_S, poll_frequency=0.05).until(lambda _: holds())

    def wait_open(self) -> None:
        """Wait until the page's WebSocket is open and has measured its round trip."""
        self.until(lambda: self.text("#status").startswith("Open"))
        self.until(lambda: self.text("#status span").endswith(" ms"))

    def number(self, selector: str) -> float:
        """Return the number that an element shows; -1 while it shows none."""
        try:
            return float(self.text(selector))
        except ValueError:
            return -1

    def resize(self, width: int) -> None:
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": width < 500},
        )

    def complaints(self) -> list[str]:
        """Return what the console holds against the page."""
        log = self.driver.get_log("browser")  # type: ignore[no-untyped-call]  # selenium's
        return [entry["message"] for entry in log]

    # Any: what the script returns, in JSON.
    def run(self, script: str, *arguments: object) -> Any:
        """Return what a function body in JavaScript comes to, which may await."""
        text = f"""
          const done = arguments[arguments.length - 1];
          const run = async (...arguments) => {{ {script} }};
          run(...[...arguments].slice(0, -1)).then(
            (value) => done({{ value }}),
            (error) => done({{ error: `${{error}} ${{error.stack}}` }}),
          );
        """
        ended = self.driver.execute_async_script(text, *arguments)
        assert "error" not in ended, ended["error"]
        return ended["value"]
