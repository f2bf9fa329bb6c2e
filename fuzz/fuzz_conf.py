"""Fuzzes the reading of nginx.conf."""

from __future__ import annotations

import random
import sys

from driver import run

from upwire.conf.model import build
from upwire.conf.syntax import load
from upwire.errors import ConfigError

CORPUS = (
    b"events {}\nhttp { server { location / { proxy_pass http://127.0.0.1:1/; } } }\n",
    b"events {}\nhttp { map $uri $x { default 1; ~^a(?<b>.) $b$1; hostnames; *.c 2; }\n"
    b"log_format m escape=json '$status'; access_log /dev/null m buffer=4k flush=5s if=$x; }\n",
    b"events {}\nhttp { upstream a { server b:80 weight=2 backup; keepalive 4; least_conn; }\n"
    b"server { listen [::]:80 so_keepalive=1m::2; listen unix:/a; server_name .a ~^b$; } }\n",
    b"events {}\nhttp { error_page 404 =200 /x; return 301 'a b'; types { a b c; } root \"/x\";\n"
    b"server { return 200 ${host}x; if ($uri ~ ^/a$) { set $y 1; } location ~* \\.a$ { } } }\n",
    b'a "b\\"c" \'d\' $e{f} # g\n;}{ include nginx.conf; include x*;\n',
    b"events {}\nhttp { resolver 127.0.0.1 valid=1m; keepalive_timeout 1h 30; proxy_buffers 4 8k;\n"
    b"add_header a b always; proxy_redirect ~(.) $1; proxy_set_header a ''; expires 1d; }\n",
)
_FILES = {"xa": b"gzip on;", "xb": b"}\n"}


def only_config_errors_and_all_in_order(octets: bytes, rng: random.Random) -> None:
    """No text raises anything but ConfigError, whose places are inside the files, in order."""

    def read(name: str) -> bytes:
        if name == "nginx.conf":
            return octets
        if name not in _FILES:
            raise FileNotFoundError(2, "No such file or directory")
        return _FILES[name]

    tree = load("nginx.conf", read, lambda pattern: _FILES)
    lines = octets.count(b"\n") + 1
    try:
        problems = build(tree).warnings
    except ConfigError as error:
        problems = error.problems
        assert any(problem.severity == "emerg" for problem in problems)
    for problem in problems:
        assert problem.message
        assert 0 <= problem.line <= lines, problem


if __name__ == "__main__":
    sys.exit(run(only_config_errors_and_all_in_order, CORPUS))
