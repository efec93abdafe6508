"""An input that several jobs of a site share travels once: `benchmarks.staging_cache` in small."""

import os
from pathlib import Path

import pytest

from howdah.models.sites import ForkSite
from howdah.testing.sharing import share
from howdah.testing.sshd import PrivateSshd
from howdah.testing.wire import Wire
from tests.conftest import skip_without_sshd

pytestmark = pytest.mark.sshd
SIZE = 5 << 20


@pytest.mark.parametrize(("cache", "moved_once"), [("10G", True), ("none", False)])
async def test_jobs_that_start_at_once_with_the_same_input_move_it_once_if_there_is_a_cache(
    tmp_path: Path, cache: str, moved_once: bool
) -> None:
    skip_without_sshd()
    source = tmp_path / "input.dat"
    source.write_bytes(os.urandom(SIZE))
    jobs = 20 if moved_once else 3
    with PrivateSshd(tmp_path / "sshd") as server:
        async with Wire(server.port) as wire:
            site = ForkSite.model_validate(
                {
                    "name": "far",
                    "kind": "fork",
                    "ssh": server.alias,
                    "ssh_config": str(server.behind(wire.port)),
                    "scratch": str(tmp_path / "scratch"),
                    "cache": cache,
                }
            )
            done = await share(site, source, wire, jobs=jobs, at_once=20)
    assert done.moved_once is moved_once
    assert done.sent > (SIZE if moved_once else jobs * SIZE)
    assert done.left <= SIZE + (1 << 20) if moved_once else done.left < 1 << 20
