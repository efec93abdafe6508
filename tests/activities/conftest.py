"""What tests of activities share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from howdah.testing.sshd import PrivateSshd
from tests.conftest import skip_without_sshd


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[PrivateSshd]:
    skip_without_sshd()
    with PrivateSshd(tmp_path / "sshd") as server:
        yield server
