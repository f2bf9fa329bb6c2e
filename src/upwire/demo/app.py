"""The demo's backend: `upwire serve upwire.demo.app:routes`."""

from __future__ import annotations

import asyncio
from functools import partial
from importlib.resources import files
from pathlib import Path
from string import Template

from upwire.demo.chat import Chat
from upwire.demo.dashboard import Dashboard
from upwire.demo.journal import JournalHome
from upwire.demo.metrics import Sampler
from upwire.demo.setting import Setting
from upwire.demo.stream import Stream
from upwire.rooms import Home, client_script
from upwire.server import Request, Response, Routes

PAGES = Path(str(files("upwire.demo"))) / "pages"
MESSAGE_OCTETS_MAX = 8192  # nothing that a page sends is larger

_TITLES = {"/": "The path", "/chat": "Chat", "/dashboard": "Dashboard", "/stream": "Stream"}

# A page loads nothing from elsewhere, and runs no script but ours.
_PAGE_FIELDS = (
    ("Content-Security-Policy", "default-src 'self'; base-uri 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "no-cache"),
    ("X-Content-Type-Options", "nosniff"),
)


def build_routes(setting: Setting) -> Routes:
    """Return the pages and the WebSockets behind them."""
    routes = Routes()
    for path, title in _TITLES.items():
        page = compose(path, title)
        routes.get(path)(partial(_answer_page, page))
    routes.static("/assets/", PAGES / "assets")
    routes.get("/upwire.js")(client_script)
    routes.get("/path.json")(partial(_answer_path, describe_path(setting)))
    _add_websockets(routes, setting)
    return routes


def compose(path: str, title: str) -> str:
    """Return a whole page: the frame that all have, and the content of this one."""
    name = path.strip("/") or "index"
    page = Template((PAGES / "layout.html").read_text()).substitute(
        title=title,
        script=f"{name}.js",
        content=(PAGES / f"{name}.html").read_text().strip(),
    )
    return page.replace(f'<a href="{path}">', f'<a href="{path}" aria-current="page">')


def describe_path(setting: Setting) -> dict[str, str]:
    """Return the parts of the path as they are in this run, for the first page."""
    return {
        "proxy": setting.proxy,
        "proxyAddress": setting.proxy_address,
        "backendAddress": setting.backend_address,
        "configFile": setting.config_file,
        "config": Path(setting.config_file).read_text(),
    }


def home_of_chat(setting: Setting) -> Home | None:
    """Return where the chat lives; None: in memory, and no longer than this process."""
    if setting.redis is not None:
        from upwire.rooms.redis_home import RedisHome  # the redis package may not be installed

        return RedisHome(setting.redis)
    return None if setting.journal is None else JournalHome(Path(setting.journal))


def _add_websockets(routes: Routes, setting: Setting) -> None:
    sampler = Sampler(proxy_pid=setting.proxy_pid, status_address=setting.status_address)
    # Programs send no Origin and may come; of pages only those that we serve.
    origins = None if setting.origins is None else (None, *setting.origins)
    add = partial(routes.websocket, origins=origins, max_message_octets=MESSAGE_OCTETS_MAX)
    add("/ws/chat")(Chat(home_of_chat(setting)).serve)
    add("/ws/dashboard")(Dashboard(partial(asyncio.to_thread, sampler.sample)).serve)
    # A picture changes in every point: compressing it costs more than it saves on one machine.
    add("/ws/stream", deflate=None)(Stream().serve)


async def _answer_page(page: str, request: Request) -> Response:
    return Response.html(page, headers=_PAGE_FIELDS)


async def _answer_path(path: dict[str, str], request: Request) -> Response:
    return Response.json(path, headers=[("Cache-Control", "no-cache")])


routes = build_routes(Setting.from_environment())
