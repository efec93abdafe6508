"""A process is known by more than its number."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

from howdah.workers.embedded.processes import Process, end, identify, is_alive, lock_holders, myself, same_boot, tell

SLEEP = [sys.executable, "-c", "import time; time.sleep(3600)"]
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(3600)"
)


def test_one_that_ended_is_gone_even_before_its_parent_collects_it() -> None:
    with subprocess.Popen(SLEEP) as child:
        found = identify(child.pid)
        assert found is not None
        assert is_alive(found)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(found)


async def test_one_with_our_number_but_another_start_is_not_us() -> None:
    me = myself()
    assert is_alive(me)
    stranger = Process(pid=me.pid, started="before/1")
    assert not is_alive(stranger)
    assert not tell(stranger, signal.SIGKILL)
    assert not same_boot(me, stranger)


async def test_one_that_does_not_obey_is_killed() -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", STUBBORN, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    await child.stdout.readline()
    process = identify(child.pid)
    assert process is not None
    await end(process, grace=0.1)
    assert await child.wait() == -signal.SIGKILL


async def test_who_inherited_a_lock_holds_it_and_who_merely_reads_the_file_does_not(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert lock_holders(path) == []
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(file, fcntl.LOCK_EX)
    holder = await asyncio.create_subprocess_exec(*SLEEP, pass_fds=(file,))
    with path.open() as reading:
        reader = await asyncio.create_subprocess_exec(*SLEEP, stdin=reading)
    os.close(file)
    try:
        assert [process.pid for process in lock_holders(path)] == [holder.pid]
    finally:
        for child in (holder, reader):
            child.kill()
            await child.wait()
    assert lock_holders(path) == []
