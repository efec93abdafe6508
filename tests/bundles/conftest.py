"""Bundles that are installed for the tests of this folder, and one server and core worker for a module."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from howdah.testing.temporal import PrivateTemporal
from tests.bundles.world import World, found, install, variables


@pytest.fixture(scope="session")
def installed_bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def module_world(tmp_path_factory: pytest.TempPathFactory, installed_bundles: Path) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    with PrivateTemporal(folder) as server, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("TEMPORAL_", "HOWDAH_"))]:
            patch.delenv(name)
        for name, value in variables(folder, installed_bundles, server.address).items():
            patch.setenv(name, value)
        with found(installed_bundles, patch):
            world = World(folder, capture=lambda: ("", ""))
            yield world
            world.stop()


@pytest.fixture
def world(module_world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> World:
    """With what the program prints to this test."""

    def capture() -> tuple[str, str]:
        told = capsys.readouterr()
        return told.out, told.err

    monkeypatch.chdir(module_world.folder)
    module_world.capture = capture
    return module_world
