"""The demo as a person meets it: `upwire demo`, and Chromium on its pages."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

pytest.importorskip("selenium")

from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from kit.chromium import CHROMIUM, DRIVER, PROMPTLY_S, Browser, running_chromium
from upwire.demo.setting import Setting

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="chromium and chromium-driver are not installed"
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_demo(*options: str) -> Iterator[str]:
    """Run `upwire demo` on free ports until it says where to look; then stop it by Ctrl-C."""
    ports = [str(free_port()), str(free_port())]
    command = [sys.executable, "-m", "upwire", "demo", "--no-browser", *options]
    command += ["--port", ports[0], "--backend-port", ports[1]]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        shown = []
        try:
            for line in process.stdout:
                shown.append(line)
                if "Ctrl-C stops both" in line:
                    break
            else:
                pytest.fail("".join(shown))
            children = psutil.Process(process.pid).children(recursive=True)
            yield f"http://127.0.0.1:{ports[0]}"
        finally:
            process.send_signal(signal.SIGINT)
            status = process.wait(PROMPTLY_S)
        assert status == 0
        assert len(children) >= 2
        assert not any(child.is_running() for child in children)


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    with running_demo() as url:
        yield url


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with running_chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture
def browser(driver: webdriver.Chrome, demo: str) -> Iterator[Browser]:
    browser = Browser(driver, demo)
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


CONFIG = """
events {{ }}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{backend_port};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host $host;
        }}
    }}
}}
"""


class KilledBackend:
    """The demo's backend behind `upwire proxy`, which is killed and started again at will."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._backend_port = free_port()
        self._journal = folder / "chat.journal"
        self._stack = stack
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(port=port, backend_port=self._backend_port))
        self._run("proxy", "-c", str(config))
        self.start()

    def start(self) -> None:
        port = str(self._backend_port)
        self._backend = self._run("serve", "upwire.demo.app:routes", "--port", port)
        assert self._backend.stdout is not None
        self._backend.stdout.readline()  # it says where it listens

    def kill(self) -> None:
        self._backend.kill()
        self._backend.wait(PROMPTLY_S)

    def _run(self, *arguments: str) -> subprocess.Popen[bytes]:
        process = self._stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "upwire", *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=os.environ | Setting(journal=str(self._journal)).to_environment(),
            )
        )
        self._stack.callback(process.terminate)
        return process


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[KilledBackend]:
    with ExitStack() as stack:
        yield KilledBackend(tmp_path, stack)


def say(browser: Browser, *lines: str) -> None:
    """Say lines as fast as a page can."""
    browser.driver.execute_script(
        "for (const line of arguments[0]) {"
        " document.getElementById('text').value = line;"
        " document.getElementById('say').requestSubmit(); }",
        lines,
    )


def open_chat(browser: Browser) -> str:
    """Open the chat in a new tab as soon as the server answers; return the tab's handle."""
    browser.driver.switch_to.new_window("tab")
    browser.until(lambda: has_opened(browser))
    browser.wait_open()
    handle: str = browser.driver.current_window_handle
    return handle


def has_opened(browser: Browser) -> bool:
    browser.open("/chat")
    return browser.text("#title") == "lobby"


def all_said(browser: Browser, tab: str, lines: set[str]) -> list[str]:
    """Return what a tab shows as soon as it has all the lines, none of them on its way."""
    browser.driver.switch_to.window(tab)
    browser.until(
        lambda: lines <= set(browser.texts(".words")) and not browser.texts(".unsent .words")
    )
    return browser.texts(".words")


def test_a_backend_that_is_killed_loses_no_line(
    driver: webdriver.Chrome, backend: KilledBackend
) -> None:
    browser = Browser(driver, backend.url)
    ada, bob = open_chat(browser), open_chat(browser)
    say(browser, "from Bob")
    for tab in (ada, bob):
        all_said(browser, tab, {"from Bob"})

    burst = [f"line {number}" for number in range(10)]
    say(browser, *burst)
    backend.kill()  # whatever of it has been answered by now
    browser.until(lambda: "reconnecting" in browser.text("#status span"))
    assert browser.text("#status").startswith("Closed 10")
    driver.switch_to.window(ada)
    browser.until(lambda: browser.text("#status").startswith("Closed 10"))
    say(browser, "meanwhile")
    assert "meanwhile" in browser.texts(".unsent .words")
    backend.start()

    expected = {"from Bob", "meanwhile", *burst}
    seen = [all_said(browser, tab, expected) for tab in (ada, bob)]
    assert sorted(seen[0]) == sorted(expected)  # each once
    assert seen[0] == seen[1]
    assert any("Connected again" in text for text in browser.texts(".event"))
    assert all_said(browser, open_chat(browser), expected) == seen[0]


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
    with running_demo("--nginx") as url:
        browser = Browser(driver, url)
        browser.open("/dashboard")
        browser.wait_open()
        browser.until(lambda: browser.number("#proxy article:nth-child(3) output") >= 1)
        assert browser.text("#proxy-note") == "it does not count messages"
        browser.open("/")
        browser.until(lambda: "http://127.0.0.1:" in browser.text("#config"))
        assert browser.text(".card [data-fact=proxy]") == "nginx"


def test_a_dead_child_ends_the_demo(tmp_path: Path) -> None:
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
        for child in psutil.Process(process.pid).children():
            if "serve" in child.cmdline():
                os.kill(child.pid, signal.SIGKILL)
        _, errors = process.communicate(timeout=PROMPTLY_S)

    assert process.returncode == 1
    assert "upwire serve has ended by signal 9" in errors
