"""A whole configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from upwire.conf.directives import Version
from upwire.conf.model.types.charset import Recodings
from upwire.conf.model.types.logs import LogFormat
from upwire.conf.model.types.lookup import Geo, SplitClients
from upwire.conf.model.types.main import Main
from upwire.conf.model.types.maps import Map
from upwire.conf.model.types.server import Server
from upwire.conf.model.types.upstream import Upstream
from upwire.conf.syntax import Directive
from upwire.errors import Problem


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. maps, geos and splits are keyed by variable, without "$".

    set_variables: those that `set` may give a value. recodings: what `charset_map` says.

    accepted: directives that nginx knows and that are not acted on, each at its first place.
    unguarded: a warning for each place where one of them guards something that is now open.
    warnings: what nginx would write at `warn` and then start.
    """

    main: Main
    servers: tuple[Server, ...]
    upstreams: Mapping[str, Upstream]
    maps: Mapping[str, Map]
    log_formats: Mapping[str, LogFormat]
    version: Version
    set_variables: frozenset[str] = frozenset()
    recodings: Recodings = field(default_factory=dict)
    geos: Mapping[str, Geo] = field(default_factory=dict)
    splits: Mapping[str, SplitClients] = field(default_factory=dict)
    accepted: tuple[Directive, ...] = ()
    unguarded: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
