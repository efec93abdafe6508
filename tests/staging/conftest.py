from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.models.sites import ForkSite
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
