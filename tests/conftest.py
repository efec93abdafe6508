"""What all tests share: a real Temporal server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from howdah.testing.temporal import PrivateTemporal


@pytest.fixture(scope="session")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Temporal server of this test session's own."""
    folder: Path = tmp_path_factory.mktemp("temporal")
    with PrivateTemporal(folder) as server:
        yield server.address
