"""Fuzzes the checker: what people paste is often no nginx.conf at all."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping

from driver import run

from upwire.check.formats import to_github, to_json, to_sarif
from upwire.check.masking import mask
from upwire.check.mending import diff, mend
from upwire.check.reading import read
from upwire.check.report import report
from upwire.check.verdict import Verdict, judge

CORPUS = (
    b"events {}\nhttp {\n\tserver {\n\t\tlocation /ws { proxy_pass http://127.0.0.1:1; }\n\t}\n}\n",
    b"events {}\nhttp { map $http_upgrade $c { default upgrade; '' close; }\n"
    b"upstream a { server b:80; server c:80; keepalive 4; }\n"
    b"server { listen 443 ssl; location / {\n"
    b"proxy_pass https://a; proxy_set_header Upgrade $http_upgrade; proxy_http_version 1.1;\n"
    b"proxy_set_header Connection $c; proxy_cache x; limit_req zone=a; } } }\n",
    b"server { listen ${PORT}; location / { {% if ws %}\n{{ include }}\n{% endif %}\n"
    b"proxy_pass http://{{ host }}:%%PORT%%/<%= path %>; } }\n",
    b"location /x { content_by_lua_block { local a = {{1}, '}', [[}]]} -- }\n } }\n",
    b"proxy_set_header Upgrade websocket; # upwire: ignore F06, F20 why\nproxy_read_timeout 5;\n",
    b"# upwire: nginx 1.22\r\nserver {\r\n  location /socket.io { proxy_pass ws://a; }\r\n}\r\n",
    b"stream { server { listen 1; proxy_pass a:1; } }\ninclude x; include ./*y; proxi_pass a;\n",
)

_OCTETS_MAX = 4096  # rules compare each location with each other


def every_text_gets_a_verdict(octets: bytes, rng: random.Random) -> None:
    """No text raises anything, whole or mended, and what is printed is fit for a terminal."""
    text = octets[:_OCTETS_MAX].decode("latin-1")
    assert len(mask(text).text) == len(text)

    nginx = rng.choice(("1.22", "1.31.5"))

    def judge_again(texts: Mapping[str, str]) -> Verdict:
        return judge(read("fuzz.conf", instead={"fuzz.conf": text, **texts}), nginx=nginx)

    verdict = judge_again({})
    for line in report(verdict):
        assert line.isprintable()
    to_json([verdict])
    to_sarif([verdict])
    list(to_github([verdict]))
    mended = mend(verdict, judge_again)
    list(diff(verdict.reading.sources, mended.texts))


if __name__ == "__main__":
    sys.exit(run(every_text_gets_a_verdict, CORPUS))
