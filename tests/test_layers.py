"""The layers of docs/architecture.md: which module may import which, and what the core may not.

A row ends its subject: `proxy` speaks for every module of the folder that has no row of its own.
Everything may import errors and its own subject. Imports are absolute.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "upwire"
CORE = ("errors", "version", "wire", "conf")
WAITING = {"asyncio", "socket", "ssl", "time", "random", "secrets", "os", "logging"}
ROWS = {
    "errors": "",
    "version": "",
    "wire": "",
    "wire.fields": "wire._headers",
    "wire._headers": "wire._cython",
    "wire.http1": "wire.fields wire._cython",
    "wire.frames": "",
    "wire._cython": "",
    "wire._codec": "wire.frames wire._cython",
    "wire._frame_counter": "wire.frames wire._codec wire._cython",
    "wire.deflate": "wire.fields",
    "wire.tls": "",
    "wire.handshake": "wire.fields wire.http1 wire.deflate",
    "wire.prepared": "wire.frames wire._codec wire.deflate",
    "wire.websocket": "wire.frames wire._codec wire._cython wire.deflate wire.prepared",
    "conf": "wire.fields",
    "conf.syntax": "",
    "conf.directives": "",
    "net": "",
    "net.waiting": "",
    "net.stream": "net.waiting",
    "net.tls": "net.stream wire._cython",
    "net.engine": "net.stream net.waiting wire._cython",
    "net.newcomers": "net.stream",
    "net.listener": "net.stream net.tls net.engine net.newcomers",
    "net.dial": "net.stream net.tls net.engine",
    "net.loop": "",
    "net.dns": "net.stream net.dial",
    "net.http1": "net.stream net.waiting wire",
    "net.websocket": "net.stream net.waiting net.engine wire",
    "net.relay": "net.stream net.tls wire._codec wire._frame_counter wire._cython wire.frames",
    "client": "net wire",
    "server": "net wire",
    "asgi": "server net wire",
    "rooms": "server net wire",
    "proxy": "version conf net wire",
    "proxy.route": "conf",
    "proxy.headers": "proxy.route proxy.set_cookie proxy.target conf wire",
    "proxy.set_cookie": "proxy.route conf",
    "proxy.accel": "conf wire",
    "probe": "client conf net wire",
    "demo": "server client rooms net wire",
    "application": "asgi fronting server net wire.frames",
    "fronting": "conf proxy.load",
    "terminal": "client net wire",
    "load": "client net wire",
    "check": "version conf proxy wire",
    "generate": "conf check proxy.load",
    "cli": "version application terminal load check generate probe proxy demo wire",
    "__main__": "cli",
    "upwire": "version asgi client server net wire",
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """Return the dotted name below upwire; a folder's for its __init__.py."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "upwire"


def is_within(name: str, subject: str) -> bool:
    return name == subject or name.startswith(subject + ".")


def row_of(name: str) -> str:
    """Return the most particular row that speaks for a module."""
    rows = [row for row in ROWS if is_within(name, row)]
    assert rows, f"{name} has no row here: give it one, and one in docs/architecture.md"
    return max(rows, key=len)


def imports(path: Path) -> Iterator[str]:
    """Yield each imported module in full; a package's member where that is a module itself."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                assert level == 0, f"{path}:{node.lineno}: a relative import"
                folder = PACKAGE.parent.joinpath(*str(module).split("."))
                for alias in names:
                    is_module = (
                        any(folder.glob(f"{alias.name}.py")) or (folder / alias.name).is_dir()
                    )
                    yield f"{module}.{alias.name}" if is_module else str(module)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_follow_the_layers(path: Path) -> None:
    name = name_of(path)
    row = row_of(name)
    allowed = ["errors", row, *ROWS[row].split()]
    ours = (i.removeprefix("upwire.") for i in imports(path) if is_within(i, "upwire"))
    above = sorted({i for i in ours if not any(is_within(i, subject) for subject in allowed)})
    assert not above, f"{name} imports {above}; its row allows {allowed}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_core_does_not_wait(path: Path) -> None:
    if any(is_within(name_of(path), subject) for subject in CORE):
        assert not WAITING & {i.split(".")[0] for i in imports(path)}


def test_every_row_speaks_for_a_module() -> None:
    rows = {row_of(name_of(path)) for path in MODULES}
    assert rows == set(ROWS)
