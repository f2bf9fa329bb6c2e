"""The master and its workers as processes: signals, respawning, privileges, the command's -s."""

from __future__ import annotations

import os
import pwd
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.nginx import (
    WAIT_S,
    Running,
    environment,
    frame_conf,
    free_port,
    get,
    running,
    upwire_command,
    wait_until,
)
from upwire.errors import LocalProtocolError
from upwire.proxy.master import FATAL, KILL_AFTER_S, RESPAWN_S, SIGNALS, Master
from upwire.proxy.options import ProxyOptions
from upwire.proxy.pid_file import PidFile
from upwire.proxy.service import Service, load
from upwire.proxy.status import Counters

# The master in this very process: its children are numbers, and end as a test says.


class Script:
    """Stands in for the system: forks nothing, remembers what is sent, and has children end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[int, int]] = []
        self.forked = 0
        self.fork_errors = 0
        self.ending = {signal.SIGKILL}
        self._ended: list[tuple[int, int]] = []
        monkeypatch.setattr(os, "fork", self._fork)
        monkeypatch.setattr(os, "kill", self._kill)
        monkeypatch.setattr(os, "waitpid", self._wait)

    def end(self, pid: int, status: int) -> None:
        """Let a child end."""
        self._ended.append((pid, status))
        signal.raise_signal(signal.SIGCHLD)

    def _fork(self) -> int:
        if self.fork_errors:
            self.fork_errors -= 1
            raise BlockingIOError(11, "no more")
        self.forked += 1
        return 1000 + self.forked

    def _kill(self, pid: int, number: int) -> None:
        self.sent.append((pid, number))
        if number in self.ending:
            self.end(pid, number if number == signal.SIGKILL else 0)

    def _wait(self, pid: int, flags: int) -> tuple[int, int]:
        assert (pid, flags) == (-1, os.WNOHANG)
        return self._ended.pop(0) if self._ended else (0, 0)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    yield Script(monkeypatch)
    while signal.sigtimedwait(SIGNALS, 0) is not None:
        """Leave none to who comes next."""
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Alone:
    """A master without workers, in a folder. Its signals wait until `act()`."""

    def __init__(self, folder: Path, *, is_daemon: bool = False, is_started: bool = True) -> None:
        self.folder = folder
        (folder / "nginx.conf").write_text(frame_conf("", "worker_processes 2;"))
        options = ProxyOptions(conf=str(folder / "nginx.conf"))
        self.service = Service(options, load(options))
        self.master = Master(self.service, PidFile(), is_daemon=is_daemon)
        if is_started:
            self.master._start_workers()

    def act(self, *numbers: signal.Signals) -> None:
        """Take the signals that wait, after these."""
        for number in numbers:
            signal.raise_signal(number)
            self.master._act(self.master._wait())

    def log(self) -> str:
        return (self.folder / "error.log").read_text()

    def end(self, script: Script) -> None:
        """Run to the end, with the children doing as they are told."""
        for pid in list(self.master._children):
            script.end(pid, 0)
        signal.raise_signal(signal.SIGTERM)
        self.master._is_ending = True
        while self.master._children:
            self.master._act(self.master._wait())
        self.service.close()


def test_the_last_child_ends_the_master(tmp_path: Path, script: Script) -> None:
    alone = Alone(tmp_path, is_started=False)
    script.ending.add(signal.SIGQUIT)
    signal.raise_signal(signal.SIGQUIT)
    alone.master.run()
    assert script.sent == [(1001, signal.SIGQUIT), (1002, signal.SIGQUIT)]
    assert script.forked == 2
    assert alone.log().count(" exit\n") == 1


def test_a_child_is_replaced_in_its_time(
    tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    alone = Alone(tmp_path)
    script.end(1001, signal.SIGSEGV | 0x80)
    alone.act(signal.SIGCHLD)
    assert script.forked == 2  # it has lived for too short a time
    now_s[0] += RESPAWN_S
    alone.master._act(alone.master._wait())
    assert script.forked == 3
    script.fork_errors = 1
    now_s[0] += RESPAWN_S
    script.end(1002, 256)
    alone.act(signal.SIGCHLD)
    assert script.forked == 3
    now_s[0] += RESPAWN_S
    alone.master._act(alone.master._wait())
    assert script.forked == 4
    script.end(1003, FATAL << 8)
    script.end(9999, 0)  # somebody else's
    alone.act(signal.SIGCHLD)
    assert script.forked == 4
    log = alone.log()
    assert "worker process 1001 exited on signal 11 (core dumped)\n" in log
    assert "worker process 1002 exited with code 1\n" in log
    assert "fork() failed while spawning worker (11: Resource temporarily unavailable)" in log
    assert "worker process 1003 exited with fatal code 2 and cannot be respawned" in log
    alone.end(script)


def test_children_that_stay_are_killed(
    tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    alone = Alone(tmp_path)
    alone.act(signal.SIGTERM)
    assert script.sent == [(1001, signal.SIGTERM), (1002, signal.SIGTERM)]
    alone.act(signal.SIGHUP)
    assert script.forked == 2  # it is too late for that
    now_s[0] += KILL_AFTER_S
    alone.master._act(alone.master._wait())
    assert script.sent[2:] == [(1001, signal.SIGKILL), (1002, signal.SIGKILL)]
    alone.master._act(alone.master._wait())
    assert not alone.master._children
    alone.service.close()


def test_a_reload_that_fails_changes_nothing(tmp_path: Path, script: Script) -> None:
    alone = Alone(tmp_path)
    (tmp_path / "nginx.conf").write_text("wrong;")
    alone.act(signal.SIGHUP)
    assert (script.forked, script.sent) == (2, [])
    assert 'unknown directive "wrong"' in alone.log()
    alone.end(script)


@pytest.mark.parametrize("is_daemon", [False, True])
def test_workers_leave_off_behind_a_terminal(
    tmp_path: Path, script: Script, is_daemon: bool
) -> None:
    alone = Alone(tmp_path, is_daemon=is_daemon)
    alone.act(signal.SIGWINCH, signal.SIGWINCH, signal.SIGUSR1)
    quits = [(pid, signal.SIGQUIT) for pid in (1001, 1002)] if is_daemon else []
    assert script.sent == [*quits, (1001, signal.SIGUSR1), (1002, signal.SIGUSR1)]
    alone.end(script)


def test_there_is_a_limit_of_processes(
    tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Counters) -> int:
        raise LocalProtocolError("no more than 1 processes can be spawned")

    monkeypatch.setattr(Counters, "reserve", refuse)
    alone = Alone(tmp_path)
    assert script.forked == 0
    assert "[alert]" in alone.log()
    alone.end(script)


# The master and its workers as processes.

RETURNING = "server {{ listen 127.0.0.1:{port}; return 200 $pid; }}"


def workers_of(proxy: Running) -> list[int]:
    """Return the process numbers of the workers that have begun."""
    started = re.findall(r"start worker process (\d+)", proxy.error_log())
    ended = re.findall(r"worker process (\d+) exited", proxy.error_log())
    return [int(pid) for pid in started if pid not in ended]


def send(folder: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `upwire proxy -s`."""
    return subprocess.run(
        upwire_command("-p", str(folder), "-s", name, *arguments),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


def test_workers_serve_and_the_master_does_not(tmp_path: Path) -> None:
    port = free_port()
    conf = frame_conf(RETURNING.format(port=port), "worker_processes 3;")
    with running("upwire", conf, tmp_path, [port]) as proxy:
        proxy.wait_log("error.log", "start worker processes")
        wait_until(lambda: len(workers_of(proxy)) == 3)
        assert int(get(port, "/").content) in workers_of(proxy)
        assert (tmp_path / "proxy.pid").read_text() == f"{proxy.process.pid}\n"
    assert proxy.process.returncode == 0
    assert not (tmp_path / "proxy.pid").exists()
    log = proxy.error_log()
    assert log.count("exited with code 0") == 3
    assert "signal 15 (SIGTERM) received from " in log


def test_one_process_does_all_where_that_is_asked_for(tmp_path: Path) -> None:
    port = free_port()
    conf = frame_conf(RETURNING.format(port=port), "master_process off; worker_processes 3;")
    with running("upwire", conf, tmp_path, [port]) as proxy:
        assert int(get(port, "/").content) == proxy.process.pid
        assert "worker process" not in proxy.error_log()
        conf = conf.replace("proxy.pid", "other.pid").replace("$pid", "new")
        (tmp_path / "nginx.conf").write_text(conf)
        proxy.signal(signal.SIGHUP)
        wait_until(lambda: get(port, "/").content == b"new")
        assert not (tmp_path / "proxy.pid").exists()
        assert (tmp_path / "other.pid").exists()
        (tmp_path / "nginx.conf").write_text(conf.replace("other.pid", str(tmp_path)))
        proxy.signal(signal.SIGHUP)
        proxy.wait_log("error.log", f'open() "{tmp_path}" failed (21: Is a directory)')


def test_the_command_line_sends_signals(tmp_path: Path) -> None:
    port = free_port()
    conf = frame_conf(RETURNING.format(port=port))
    with running("upwire", conf, tmp_path, [port]) as proxy:
        wait_until((tmp_path / "proxy.pid").exists)
        assert send(tmp_path, "reload").returncode == 0
        proxy.wait_log("error.log", "configuration is in force")
        (tmp_path / "error.log").rename(tmp_path / "error.log.1")
        assert send(tmp_path, "reopen").returncode == 0
        wait_until(lambda: (tmp_path / "error.log").exists())
        assert send(tmp_path, "quit").returncode == 0
        assert proxy.process.wait(WAIT_S) == 0
    done = send(tmp_path, "stop")
    assert done.returncode == 1
    path = tmp_path / "proxy.pid"
    assert done.stderr == f'upwire: [error] open() "{path}" failed (2: No such file or directory)\n'
    path.write_text("none")
    assert f'[error] invalid PID number "none" in "{path}"' in send(tmp_path, "stop").stderr
    path.write_text("4194305")  # beyond Linux's greatest
    assert "[alert] kill(4194305, 15) failed (3: No such process)" in send(tmp_path, "stop").stderr
    done = send(tmp_path, "restart")
    assert done.returncode == 2
    assert 'invalid option: "-s restart"' in done.stderr


def test_a_worker_that_dies_at_once_is_not_replaced_at_once(tmp_path: Path) -> None:
    port = free_port()
    with running("upwire", frame_conf(RETURNING.format(port=port)), tmp_path, [port]) as proxy:
        (first,) = wait_until(lambda: workers_of(proxy))
        os.kill(first, signal.SIGKILL)
        proxy.wait_log("error.log", f"[alert] {proxy.process.pid}#")
        assert f"worker process {first} exited on signal 9" in proxy.error_log()
        (second,) = wait_until(lambda: workers_of(proxy))
        wait_until(lambda: int(get(port, "/").content) == second)
        times = re.findall(r"(\d\d:\d\d:\d\d) .*start worker process \d", proxy.error_log())
        assert len(times) == 2


def test_a_worker_that_cannot_begin_is_not_tried_again(tmp_path: Path) -> None:
    port = free_port()
    conf = frame_conf(RETURNING.format(port=port), "working_directory /no/such;")
    with running("upwire", conf, tmp_path, [port]) as proxy:
        log = proxy.wait_log("error.log", "cannot be respawned")
        assert 'chdir("/no/such") failed (2: No such file or directory)' in log
        assert re.search(r"\[alert\] .* exited with fatal code 2 and cannot be respawned", log)
        assert workers_of(proxy) == []
    assert proxy.process.returncode == 0


def test_limits_that_cannot_be_set_are_logged(tmp_path: Path) -> None:
    port = free_port()
    main = "worker_rlimit_nofile 300; worker_rlimit_core 0; worker_priority 1;"
    main += "worker_cpu_affinity auto; working_directory /;"
    with running("upwire", frame_conf(RETURNING.format(port=port), main), tmp_path, [port]):
        pid = int(get(port, "/").content)
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max open files +300 +300 ", limits)
        assert re.search(r"Max core file size +0 +0 ", limits)
        assert os.getpriority(os.PRIO_PROCESS, pid) == 1
        assert len(os.sched_getaffinity(pid)) == 1
        assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    main = "worker_cpu_affinity 1" + "0" * 900 + ";"
    with running(
        "upwire", frame_conf(RETURNING.format(port=port), main), tmp_path, [port]
    ) as proxy:
        assert get(port, "/").status == 200
        assert "[alert]" in proxy.wait_log("error.log", "sched_setaffinity() failed (22: ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_workers_give_up_root(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    port = free_port()
    conf = frame_conf(RETURNING.format(port=port)).replace("user root;", "user daemon;")
    with running("upwire", conf, tmp_path, [port]) as proxy:
        pid = int(get(port, "/").content)
        status = Path(f"/proc/{pid}/status").read_text()
        daemon = pwd.getpwnam("daemon")
        for name, number in (("Uid", daemon.pw_uid), ("Gid", daemon.pw_gid)):
            assert re.search(rf"^{name}:(\s{number}){{4}}$", status, re.M)
        assert (tmp_path / "access.log").stat().st_uid == 0
        (tmp_path / "access.log").rename(tmp_path / "access.log.1")
        proxy.signal(signal.SIGUSR1)
        wait_until(lambda: _owner(tmp_path / "access.log") == daemon.pw_uid)


def _owner(path: Path) -> int | None:
    return path.stat().st_uid if path.exists() else None


def test_the_size_of_a_terminal_ends_no_worker(tmp_path: Path) -> None:
    port = free_port()
    with running("upwire", frame_conf(RETURNING.format(port=port)), tmp_path, [port]) as proxy:
        pid = int(get(port, "/").content)
        proxy.signal(signal.SIGWINCH)
        proxy.wait_log("error.log", "signal 28 (SIGWINCH) received")
        os.kill(pid, signal.SIGWINCH)
        os.kill(pid, signal.SIGHUP)
        proxy.signal(signal.SIGUSR2)
        proxy.wait_log("error.log", "changing the binary on the fly is not supported")
        assert int(get(port, "/").content) == pid


def test_workers_that_do_not_end_are_killed(tmp_path: Path) -> None:
    port = free_port()
    with running("upwire", frame_conf(RETURNING.format(port=port)), tmp_path, [port]) as proxy:
        pid = int(get(port, "/").content)
        os.kill(pid, signal.SIGSTOP)
    assert f"worker process {pid} exited on signal 9" in proxy.error_log()


def test_a_reload_moves_the_pid_file_and_changes_the_workers(tmp_path: Path) -> None:
    port = free_port()
    conf = frame_conf(RETURNING.format(port=port))
    with running("upwire", conf, tmp_path, [port]) as proxy:
        first = int(get(port, "/").content)
        conf = conf.replace("proxy.pid", "other.pid").replace(
            "daemon", "worker_processes 2; daemon"
        )
        (tmp_path / "nginx.conf").write_text(conf)
        proxy.signal(signal.SIGHUP)
        wait_until(lambda: first not in workers_of(proxy) and len(workers_of(proxy)) == 2)
        assert not (tmp_path / "proxy.pid").exists()
        assert (tmp_path / "other.pid").read_text() == f"{proxy.process.pid}\n"
        (tmp_path / "nginx.conf").write_text(conf.replace("other.pid", str(tmp_path)))
        proxy.signal(signal.SIGHUP)
        proxy.wait_log("error.log", f'open() "{tmp_path}" failed (21: Is a directory)')
    assert not (tmp_path / "other.pid").exists()


def test_unix_sockets_outlive_their_workers(tmp_path: Path) -> None:
    port = free_port()
    http = RETURNING.format(port=port) + f"server {{ listen unix:{tmp_path}/s; return 200 u; }}"
    with running("upwire", frame_conf(http), tmp_path, [port]) as proxy:
        first = int(get(port, "/").content)
        proxy.signal(signal.SIGHUP)
        proxy.wait_log("error.log", f"worker process {first} exited")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(tmp_path / "s"))
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert not (tmp_path / "s").exists()


def test_full_workers_make_room(tmp_path: Path) -> None:
    port = free_port()
    conf = frame_conf(RETURNING.format(port=port)).replace("connections 256", "connections 2")
    with running("upwire", conf, tmp_path, [port]) as proxy:
        with socket.create_connection(("127.0.0.1", port), WAIT_S) as waiting:
            waiting.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert waiting.recv(1000)
            assert get(port, "/").status == 200
            assert waiting.recv(1000) == b""
        log = proxy.wait_log("error.log", "not enough")
        assert "[warn]" in log
        assert "2 worker_connections are not enough, reusing connections" in log
        with socket.create_connection(("127.0.0.1", port), WAIT_S) as busy:
            busy.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HT")
            assert busy.recv(1000)
            assert get(port, "/").status == 200
            proxy.wait_log("error.log", "[alert]")
        assert re.search(r"\[alert\] .* 2 worker_connections are not enough\n", proxy.error_log())
