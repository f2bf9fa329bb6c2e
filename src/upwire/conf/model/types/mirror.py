"""What ngx_http_mirror_module does in a location."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """`mirror`: the paths that get each request too; passes_body: with its content."""

    uris: tuple[str, ...] = ()
    passes_body: bool = True
