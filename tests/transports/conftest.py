"""Ways to a private sshd."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest

from howdah.activities.transports.ssh import SshTransport
from howdah.activities.transports.ssh_login import Timing
from howdah.models.sites import Site
from howdah.testing.sshd import PrivateSshd
from tests.conftest import skip_without_sshd

QUICK = Timing(keepalive=0.5, keepalives=2, connect=5, login=5, crowded=20)

StartSshd = Callable[..., PrivateSshd]
Connect = Callable[..., SshTransport]


def site_at(server: PrivateSshd, **other: Any) -> Site:
    return Site(
        **{"name": "cluster", "kind": "fork", "ssh": server.alias, "ssh_config": str(server.ssh_config), **other}
    )


@pytest.fixture
def start_sshd(tmp_path: Path) -> Iterator[StartSshd]:
    """Start a server that the test may break: `start_sshd(max_sessions=2)`."""
    skip_without_sshd()
    with ExitStack() as servers:
        yield lambda **how: servers.enter_context(PrivateSshd(tmp_path / "sshd", **how))


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """A transport to a server or a site, closed after the test."""
    async with AsyncExitStack() as transports:

        def make(to: PrivateSshd | Site, timing: Timing = QUICK) -> SshTransport:
            transport = SshTransport(to if isinstance(to, Site) else site_at(to), timing=timing)
            transports.push_async_callback(transport.close)
            return transport

        yield make


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSshd]:
    """A server that many tests share: for whoever breaks nothing. Others use `start_sshd`."""
    skip_without_sshd()
    with PrivateSshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server
