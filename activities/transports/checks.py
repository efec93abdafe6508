"""What one command can tell about the account and the shell at a site, for `howdah site check`."""

import time

from howdah.activities.transports import Transport
from howdah.activities.transports.shell import Answer, Shell
from howdah.models.answers import Check
from howdah.models.sites import Site

_SCRIPT = 'id -un; uname -n; date +%s.%N; printf "%s\\n" "$HOME"'
TOLERATED = 60.0
"""Seconds two clocks may differ before people should hear of it."""


async def look_around(transport: Transport, site: Site) -> tuple[Check, ...]:
    """Who we are there, how long a command takes, what start-up files print, how the clocks differ."""
    shell = Shell(transport, prelude=site.prelude, sessions=1)
    await shell.run(":")  # the first command of a connection is slower than those that follow
    began, before = time.monotonic(), time.time()
    answer = await shell.run(_SCRIPT)
    took = time.monotonic() - began
    user, host, clock, home = (answer.out.splitlines() + [""] * 4)[:4]
    return (
        Check(name="account", ok=bool(user), found=f"{user}@{host}, home {home}"),
        Check(name="round trip", ok=True, found=f"one command in {took * 1000:.0f} ms"),
        _noise(answer),
        _clocks(clock, before + took / 2),
    )


def _noise(answer: Answer) -> Check:
    if not answer.noise:
        return Check(name="start-up files", ok=True, found="quiet")
    return Check(
        name="start-up files",
        ok=True,
        found=f"print {len(answer.noise)} characters before every command: {answer.noise[:200]!r}",
        hint="harmless for howdah; it breaks sftp and rsync, though",
    )


def _clocks(there: str, here: float) -> Check:
    """`%N` is GNU's; other systems print it as it stands."""
    try:
        offset = float(there.removesuffix(".%N").removesuffix(".N")) - here
    except ValueError:
        return Check(name="clock", ok=False, found=f"cannot be read: {there!r}")
    return Check(
        name="clock",
        ok=abs(offset) <= TOLERATED,
        found=f"{offset:+.1f} s from this machine's",
        hint="" if abs(offset) <= TOLERATED else "let both machines follow a time server",
    )
