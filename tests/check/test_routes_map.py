"""The table of a file."""

from __future__ import annotations

from kit.check_site import judge_text
from upwire.check.built import build_whole
from upwire.check.routes_map import draw_map

CONF = """\
events {}
http {
    upstream chat { server 127.0.0.1:1; }
    server {
        listen 80;
        listen unix:/run/x;
        server_name a.example b.example;
        location /ws/ {
            proxy_pass http://chat/x/;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_set_header Connection again;
            proxy_read_timeout 1h;
            location /ws/inner { proxy_pass http://chat; }
        }
        location ~ ^/v { proxy_pass http://$arg_x:1; }
        location = /s { return 301 /; }
        location /u { uwsgi_pass 127.0.0.1:1; }
        location /a { alias /srv/; }
        location /r { root /srv; }
        location @n { proxy_pass http://chat; }
    }
    server {
        listen 443 ssl;
        ssl_certificate x;
        ssl_certificate_key x;
        return 444;
    }
}
"""
MAP = """\
server a.example, b.example at 0.0.0.0:80, unix:/run/x
  LOCATION      GOES TO             UPGRADE        CONNECTION         HOST         HTTP  IDLE
  /ws/          http://chat/x/...   $http_upgrade  upgrade and again  $proxy_host  1.1   3600 s
    /ws/inner   http://chat/ws/inner...  $http_upgrade  upgrade and again  $proxy_host  1.1   3600 s
  ~ ^/v         http://$arg_x:1     -              close              $proxy_host  1.0   60 s
  = /s          301 /
  /u            uwsgi_pass
  /a            files of /srv/
  /r            files below /srv
  @n            http://chat...      -              close              $proxy_host  1.0   60 s

server (no name) at 0.0.0.0:443 ssl
  LOCATION  GOES TO  UPGRADE  CONNECTION  HOST  HTTP  IDLE
  (any)     444
"""


def test_every_location_has_its_row() -> None:
    drawn = list(draw_map(build_whole(judge_text(CONF))))
    assert [line.split() for line in drawn] == [line.split() for line in MAP.splitlines()]


def test_columns_stand_below_each_other() -> None:
    heading, *rows = list(draw_map(build_whole(judge_text(CONF))))[1:10]
    start = heading.index("GOES TO")
    assert [row[start - 1 : start + 1].isspace() for row in rows] == [False] * len(rows)
    assert all(row[start - 1] == " " for row in rows)
