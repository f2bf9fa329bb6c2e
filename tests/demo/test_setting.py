from __future__ import annotations

from upwire.demo.setting import CONFIG_FILE, VARIABLE, Setting


def test_a_setting_travels_through_the_environment() -> None:
    setting = Setting(proxy="nginx", proxy_pid=42, origins=("http://127.0.0.1:8000",))

    assert Setting.from_environment(setting.to_environment()) == setting


def test_a_backend_started_by_hand_has_the_defaults() -> None:
    assert Setting.from_environment({}) == Setting()
    assert Setting.from_environment({VARIABLE: '{"proxy_pid": 1}'}).proxy_pid == 1
    assert Setting().config_file == str(CONFIG_FILE)


def test_the_configuration_is_the_guides_to_the_letter() -> None:
    lines = [line.strip() for line in CONFIG_FILE.read_text().splitlines()]
    first = lines.index("location / {")

    assert lines[first : first + 7] == [
        "location / {",
        "proxy_pass http://backend:8080;",
        "proxy_set_header Upgrade $http_upgrade;",
        'proxy_set_header Connection "upgrade";',
        "proxy_set_header Host $host;",
        "proxy_http_version 1.1;",
        "}",
    ]
