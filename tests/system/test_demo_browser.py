"""The demo as a person meets it: `upwire demo`, and Chromium on its pages."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

pytest.importorskip("selenium")

from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from kit.chromium import CHROMIUM, DRIVER, PROMPTLY_S, Browser, running_chromium
from kit.redis import needs_redis, running_redis

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="chromium and chromium-driver are not installed"
)


def free_port(*, in_a_row: int = 1) -> int:
    """Return a port that was free just now, and so were those behind it."""
    while True:
        with ExitStack() as stack:
            probe = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port: int = probe.getsockname()[1]
            with suppress(OSError, OverflowError):
                for further in range(port + 1, port + in_a_row):
                    stack.enter_context(socket.create_server(("127.0.0.1", further)))
                return port


class Demo:
    """A running `upwire demo`, which starts a backend that is killed again."""

    def __init__(self, url: str, process: psutil.Process) -> None:
        self.url = url
        self._process = process

    def children(self) -> list[psutil.Process]:
        return self._process.children(recursive=True)

    def child_with(self, word: str) -> psutil.Process:
        """Return the child that has the word in its command line."""
        (child,) = (child for child in self.children() if word in child.cmdline())
        return child


@contextmanager
def running_demo(*options: str, nodes: int = 1) -> Iterator[Demo]:
    """Run `upwire demo` on free ports until it says where to look; then stop it by Ctrl-C."""
    port, backend_port = str(free_port()), str(free_port(in_a_row=nodes))
    command = [sys.executable, "-m", "upwire", "demo", "--no-browser", *options]
    command += ["--port", port, "--backend-port", backend_port, "--nodes", str(nodes)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        shown = []
        try:
            for line in process.stdout:
                shown.append(line)
                if "Ctrl-C stops" in line:
                    break
            else:
                pytest.fail("".join(shown))
            demo = Demo(f"http://127.0.0.1:{port}", psutil.Process(process.pid))
            children = demo.children()
            yield demo
        finally:
            process.send_signal(signal.SIGINT)
            status = process.wait(PROMPTLY_S)
        assert status == 0
        assert len(children) >= 1 + nodes
        assert not any(child.is_running() for child in children)


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with running_demo() as demo:
        yield demo


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with running_chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture
def browser(driver: webdriver.Chrome, demo: Demo) -> Iterator[Browser]:
    browser = Browser(driver, demo.url)
    browser.complaints()  # those of the test before
    yield browser
    assert browser.complaints() == []


def test_the_first_page_shows_the_path_and_the_file(browser: Browser) -> None:
    browser.open("/")
    browser.until(lambda: "proxy_http_version 1.1;" in browser.text("#config"))

    assert "proxy_set_header Upgrade $http_upgrade;" in browser.text("#config")
    address = browser.url.removeprefix("http://")
    shown = browser.driver.execute_script(
        "return document.querySelector('#node-proxy [data-fact=proxyAddress]').textContent"
    )
    assert shown == address
    links = browser.driver.execute_script(
        "return [...document.querySelectorAll('.link')].map((card) => card.href)"
    )
    assert links == [f"{browser.url}/{page}" for page in ("chat", "dashboard", "stream")]


def test_two_people_chat(browser: Browser) -> None:
    browser.open("/chat")
    browser.wait_open()
    browser.find("#name").send_keys("Ada", Keys.ENTER)
    browser.until(lambda: browser.texts("#members li span:nth-child(2)") == ["Ada"])
    browser.find("#text").send_keys("<b>first</b>", Keys.ENTER)
    browser.until(lambda: "<b>first</b>" in browser.texts(".words"))
    ada = browser.driver.current_window_handle

    browser.driver.switch_to.new_window("tab")
    browser.open("/chat")
    browser.wait_open()
    # Who comes late sees what was said, and who is here; names are kept apart.
    browser.until(lambda: "<b>first</b>" in browser.texts(".words"))
    assert browser.text("#count") == "· 2"
    browser.find("#text").send_keys("second", Keys.ENTER)
    browser.until(lambda: "second" in browser.texts(".mine .words"))
    browser.driver.close()

    browser.driver.switch_to.window(ada)
    browser.until(lambda: "Ada 2 left" in browser.texts(".event"))
    assert browser.texts(".words") == ["<b>first</b>", "second"]
    assert browser.text("#count") == "· 1"


def test_rooms_are_apart(browser: Browser) -> None:
    browser.open("/chat")
    browser.wait_open()
    room = browser.find("#room")
    room.clear()
    room.send_keys("Back Room!", Keys.ENTER)
    browser.until(lambda: browser.text("#title") == "back-room")

    assert browser.texts(".words") == []
    assert browser.driver.current_url.endswith("#back-room")


@pytest.mark.parametrize("fragment", ["%zz", "..", "."])
def test_a_link_that_names_no_room_leads_to_the_lobby(fragment: str, browser: Browser) -> None:
    browser.driver.get("about:blank")  # a change of the fragment alone would load nothing
    browser.open(f"/chat#{fragment}")
    browser.wait_open()

    assert browser.text("#title") == "lobby"


@pytest.mark.parametrize("page", ["chat", "dashboard", "stream"])
def test_a_page_shows_the_handshake_that_it_made(page: str, browser: Browser) -> None:
    browser.open(f"/{page}")
    browser.until(lambda: "computed here as well" in browser.text("#handshake"))

    request, response = browser.texts("#handshake .heads")
    assert request.startswith(f"GET /ws/{page}")
    assert "Host: 127.0.0.1\n" in request  # $host has no port
    assert "Connection: upgrade\n" in request
    assert "Upgrade: websocket\n" in request
    assert f"Origin: {browser.url}\n" in request
    assert response.startswith("HTTP/1.1 101 Switching Protocols\n")


def test_the_dashboard_shows_the_machine_and_the_proxy(browser: Browser) -> None:
    browser.open("/dashboard")
    browser.wait_open()
    machine, proxy = "#machine article:nth-child({}) output", "#proxy article:nth-child({}) output"

    browser.until(lambda: browser.number(machine.format(2)) > 0)  # memory
    assert 0 <= browser.number(machine.format(1)) <= 100
    assert browser.number(proxy.format(2)) > 0
    assert browser.number(proxy.format(3)) >= 1  # our own connection
    # The dashboard itself is four messages a second.
    browser.until(lambda: 3 < browser.number(proxy.format(4)) < 8)
    assert browser.text("#proxy-note") == ""


def test_a_value_of_a_plot_can_be_read_by_keyboard(browser: Browser) -> None:
    browser.open("/dashboard")
    browser.until(lambda: browser.number("#machine article:nth-child(2) output") > 0)
    plot = browser.find("#machine article:nth-child(2) canvas")
    plot.send_keys(Keys.ARROW_LEFT)

    assert (plot.get_attribute("aria-label") or "").endswith(" GiB")


def test_a_slow_tab_skips_pictures(browser: Browser) -> None:
    browser.open("/stream")
    browser.wait_open()
    browser.until(lambda: browser.number("#rate") > 15)
    before = browser.number("#number")
    browser.until(lambda: browser.number("#number") > before)
    colors = browser.driver.execute_script(
        "return new Set(document.getElementById('screen').getContext('2d')"
        ".getImageData(0, 0, 192, 108).data).size"
    )
    assert colors > 50

    browser.press("#slow")
    browser.until(lambda: is_slow(*map(float, browser.texts("#rate, #skipped, #lag"))))
    browser.press("#slow")
    browser.until(lambda: browser.number("#rate") > 15)


def is_slow(rate_per_s: float, skipped: float, lag_ms: float) -> bool:
    """Whether a tab shows few pictures, leaves many out, and is late, but not ever later."""
    return 0 < rate_per_s < 10 and skipped > 20 and 200 < lag_ms < 5000


@pytest.mark.parametrize("page", ["", "chat", "dashboard", "stream"])
def test_a_page_fits_a_phone(page: str, browser: Browser) -> None:
    browser.resize(360)
    try:
        browser.open(f"/{page}")
        if page:
            browser.wait_open()
        width = browser.driver.execute_script("return document.documentElement.scrollWidth")
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    assert width == 360


@pytest.mark.parametrize("page", ["dashboard", "stream"])
def test_every_picture_says_what_it_is(page: str, browser: Browser) -> None:
    browser.open(f"/{page}")
    browser.wait_open()
    names = browser.driver.execute_script(
        "return [...document.querySelectorAll('canvas')].map((part) => part.ariaLabel)"
    )

    assert names
    assert all(names)


def test_dark_and_light_follow_the_browser(browser: Browser) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        browser.open("/")
        grounds.append(browser.find("body").value_of_css_property("background-color"))

    assert grounds == ["rgba(246, 247, 249, 1)", "rgba(15, 17, 21, 1)"]


def test_a_page_comes_back_after_the_server_went(driver: webdriver.Chrome) -> None:
    port = free_port()
    command = [sys.executable, "-m", "upwire", "serve", "upwire.demo.app:routes"]
    browser = Browser(driver, f"http://127.0.0.1:{port}")

    with serving([*command, "--port", str(port)], port):
        browser.open("/dashboard")
        browser.wait_open()
    browser.until(lambda: browser.text("#status").startswith("Closed 1001"))
    with serving([*command, "--port", str(port)], port):
        browser.wait_open()


def say(browser: Browser, *lines: str) -> None:
    """Say lines as fast as a page can."""
    browser.driver.execute_script(
        "for (const line of arguments[0]) {"
        " document.getElementById('text').value = line;"
        " document.getElementById('say').requestSubmit(); }",
        lines,
    )


def open_chat(browser: Browser) -> str:
    """Open the chat in a new tab; return the tab's handle."""
    browser.driver.switch_to.new_window("tab")
    browser.open("/chat")
    browser.wait_open()
    handle: str = browser.driver.current_window_handle
    return handle


def all_said(browser: Browser, tab: str, lines: set[str]) -> list[str]:
    """Return what a tab shows as soon as it has all the lines, none of them on its way."""
    browser.driver.switch_to.window(tab)
    browser.until(
        lambda: lines <= set(browser.texts(".words")) and not browser.texts(".unsent .words")
    )
    return browser.texts(".words")


def test_a_backend_that_is_killed_loses_no_line(driver: webdriver.Chrome) -> None:
    with running_demo() as demo:
        browser = Browser(driver, demo.url)
        ada, bob = open_chat(browser), open_chat(browser)
        say(browser, "from Bob")
        for tab in (ada, bob):
            all_said(browser, tab, {"from Bob"})

        burst = [f"line {number}" for number in range(10)]
        say(browser, *burst)
        demo.child_with("serve").kill()  # whatever of it has been answered by now
        browser.until(lambda: re.match(r"Closed 10\d\d\s.*reconnecting", browser.text("#status")))
        say(browser, "meanwhile")
        assert "meanwhile" in browser.texts(".unsent .words")

        expected = {"from Bob", "meanwhile", *burst}
        seen = [all_said(browser, tab, expected) for tab in (ada, bob)]
        assert sorted(seen[0]) == sorted(expected)  # each once
        assert seen[0] == seen[1]
        assert any("Connected again" in text for text in browser.texts(".event"))
        assert all_said(browser, open_chat(browser), expected) == seen[0]


@needs_redis
def test_a_node_that_is_killed_loses_no_line(driver: webdriver.Chrome, tmp_path: Path) -> None:
    with (
        running_redis(tmp_path / "redis") as redis,
        running_demo("--redis", redis.url, nodes=3) as demo,
    ):
        browser = Browser(driver, demo.url)
        tabs = [open_chat(browser) for _ in range(3)]
        browser.until(lambda: browser.text("#count") == "· 3")
        before = sorted(browser.texts("#members li"))
        lines = [f"line {number}" for number in range(4)]
        say(browser, *lines[:3])
        nodes = [child for child in demo.children() if "serve" in child.cmdline()]
        busiest = max(nodes, key=lambda node: len(node.net_connections("tcp")))
        busiest.kill()
        say(browser, lines[3])

        seen = [all_said(browser, tab, set(lines)) for tab in tabs]
        assert sorted(seen[0]) == lines  # each once
        assert seen[0] == seen[1] == seen[2]
        browser.until(lambda: sorted(browser.texts("#members li")) == before)


@contextmanager
def serving(command: list[str], port: int) -> Iterator[None]:
    """Run a server until it is asked to stop."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert process.stdout is not None
        process.stdout.readline()  # it says where it listens
        yield
    finally:
        process.terminate()
        process.communicate(timeout=PROMPTLY_S)


@pytest.mark.skipif(
    not (shutil.which("nginx") or Path("/usr/sbin/nginx").exists()), reason="nginx is not installed"
)
def test_the_real_nginx_takes_the_proxys_place(driver: webdriver.Chrome) -> None:
    with running_demo("--nginx") as demo:
        browser = Browser(driver, demo.url)
        browser.open("/dashboard")
        browser.wait_open()
        browser.until(lambda: browser.number("#proxy article:nth-child(3) output") >= 1)
        assert browser.text("#proxy-note") == "it does not count messages"
        browser.open("/")
        browser.until(lambda: "http://127.0.0.1:" in browser.text("#config"))
        assert browser.text(".card [data-fact=proxy]") == "nginx"


@pytest.mark.parametrize(
    ("number", "how"), [(signal.SIGTERM, "with status 0"), (signal.SIGKILL, "by signal 9")]
)
def test_a_proxy_that_ends_ends_the_demo(number: int, how: str) -> None:
    ports = [str(free_port()), str(free_port())]
    command = [sys.executable, "-m", "upwire", "demo", "--no-browser"]
    command += ["--port", ports[0], "--backend-port", ports[1]]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Ctrl-C" in line:
                break
        children = psutil.Process(process.pid).children(recursive=True)
        master = next(child for child in children if "proxy" in child.cmdline())
        master.send_signal(number)
        _, errors = process.communicate(timeout=PROMPTLY_S)

    assert process.returncode == 1
    assert f"upwire proxy has ended {how}" in errors
    assert not psutil.wait_procs(children, timeout=PROMPTLY_S)[1]
