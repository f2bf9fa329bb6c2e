from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import psutil
import pytest

from upwire.demo.child import LAST_LINES, Child
from upwire.errors import UpwireError


def python(program: str) -> list[str]:
    return [sys.executable, "-u", "-c", program]


def test_the_last_lines_of_both_outputs_are_kept() -> None:
    program = "import sys\nfor n in range(5000): print(n)\nprint('the end', file=sys.stderr)"

    async def main() -> None:
        async with Child.running("writer", python(program)) as child:
            assert await child.wait() == 0
            assert child.last_lines[-2:] == ["4999", "the end"]
            assert len(child.last_lines) == LAST_LINES

    asyncio.run(main())


def test_it_gets_what_is_added_to_the_environment() -> None:
    program = "import os; print(os.environ['DEMO'], 'PATH' in os.environ)"

    async def main() -> None:
        async with Child.running("reader", python(program), environment={"DEMO": "x"}) as child:
            await child.wait()
            assert child.last_lines == ["x True"]

    asyncio.run(main())


def test_it_is_asked_to_stop() -> None:
    async def main() -> None:
        async with Child.running("waiter", python("import signal; signal.pause()")) as child:
            pass
        assert await child.wait() == -signal.SIGTERM

    asyncio.run(main())


def test_what_does_not_stop_is_killed() -> None:
    async def main() -> None:
        # A shell that is told so before it starts ignores the signal from its first moment.
        command = ["/bin/sh", "-c", "trap '' TERM; echo deaf; exec sleep 60"]
        async with Child.running("deaf", command) as child:
            await child.has_written.wait()
            await child.stop(timeout_s=0.05)
            assert await child.wait() == -signal.SIGKILL

    asyncio.run(main())


def test_what_a_killed_program_has_left_behind_goes_too() -> None:
    program = "import os, signal\nworker = os.fork()\nif worker: print(worker)\nsignal.pause()"

    async def main() -> psutil.Process:
        async with Child.running("master", python(program)) as child:
            await child.has_written.wait()
            worker = psutil.Process(int(child.last_lines[0]))
            psutil.Process(child.pid).kill()
            assert await child.wait() == -signal.SIGKILL
            return worker

    assert asyncio.run(main()).wait(timeout=10) is None


def test_a_session_of_its_own_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upwire.demo.child.STOP_TIMEOUT_S", 0.05)
    program = (
        "import os, signal\n"
        "worker = os.fork()\n"
        "if worker: raise SystemExit\n"
        "os.setsid()\n"
        "print(os.getpid())\n"
        "signal.pause()"
    )

    async def main() -> int:
        async with Child.running("daemon", python(program)) as child:
            await child.has_written.wait()
            await child.wait()
            return int(child.last_lines[0])

    psutil.Process(asyncio.run(main())).kill()


def test_it_ends_with_a_parent_that_is_killed() -> None:
    program = (
        "import asyncio, sys\n"
        "from upwire.demo.child import Child\n"
        "async def main():\n"
        "    command = [sys.executable, '-c', 'import signal; signal.pause()']\n"
        "    async with Child.running('orphan', command) as child:\n"
        "        print(child.pid, flush=True)\n"
        "        await child.wait()\n"
        "asyncio.run(main())"
    )
    with subprocess.Popen(python(program), stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()

    assert child.wait(timeout=10) is None  # nobody but its new parent learns how it ended


def test_a_program_that_is_not_there_is_said_plainly() -> None:
    async def main() -> None:
        async with Child.running("nginx", ["/nowhere/nginx"]):
            pass

    with pytest.raises(UpwireError, match="nginx cannot be started: /nowhere/nginx: No such file"):
        asyncio.run(main())
