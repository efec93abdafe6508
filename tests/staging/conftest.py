from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.models.sites import ForkSite
from howdah.testing.sshd import PrivateSshd
from tests.conftest import skip_without_sshd
from tests.staging.house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path)


@pytest.fixture
async def shell() -> AsyncIterator[Shell]:
    """The real one, to this machine."""
    shell = Shell(LocalTransport(ForkSite(name="local")))
    yield shell
    await shell.close()


@pytest.fixture
async def shell_that() -> AsyncIterator[Callable[[str], Shell]]:
    """Shells with a prelude: commands do more there than they are told to, as if somebody else did it at that moment,
    or less."""
    made: list[Shell] = []

    def make(prelude: str) -> Shell:
        made.append(Shell(LocalTransport(ForkSite(name="local")), prelude=prelude))
        return made[-1]

    yield make
    for shell in made:
        await shell.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrivateSshd]:
    skip_without_sshd()
    with PrivateSshd(tmp_path / "sshd") as server:
        yield server
