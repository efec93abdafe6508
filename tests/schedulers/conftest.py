"""A real Slurm, and this machine."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from howdah.activities.schedulers.fork import Fork
from howdah.activities.schedulers.slurm import Slurm
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.models.sites import ForkSite, Site
from howdah.testing.processes import end_all, processes_holding
from howdah.testing.scheduler_contract import Bench
from howdah.testing.slurm import PrivateSlurm

StartSlurm = Callable[..., PrivateSlurm]


def shell_at(site: Site) -> Shell:
    return Shell(LocalTransport(site), prelude=site.prelude, sessions=8)


def slurm_bench(
    slurm: PrivateSlurm,
    scratch: Path,
    *first: Path,
    prelude: str = "",
    job_prelude: str = "",
    directives: tuple[str, ...] = (),
) -> Bench:
    """`first` are folders that go before all others in PATH; the preludes are added to those of the site."""
    site = slurm.site("cluster", str(scratch), first=first)
    more = {"prelude": site.prelude + prelude, "job_prelude": job_prelude, "directives": directives}
    site = site.model_copy(update=more)
    return Bench(site, Slurm(site), shell_at(site))


@pytest.fixture(scope="session")
def shared_slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSlurm]:
    """For tests that leave it as they found it."""
    if told := PrivateSlurm.missing():
        pytest.skip(told)
    with PrivateSlurm(tmp_path_factory.mktemp("slurm") / "run") as slurm:
        yield slurm


@pytest.fixture
def start_slurm(tmp_path: Path) -> Iterator[StartSlurm]:
    """A Slurm that the test may break: `start_slurm(MinJobAge="2")`."""
    if told := PrivateSlurm.missing():
        pytest.skip(told)
    with ExitStack() as stack:

        def start(**options: Any) -> PrivateSlurm:
            return stack.enter_context(PrivateSlurm(tmp_path / "slurm", **options))

        yield start


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """Whatever a test leaves running in it is ended."""
    yield tmp_path / "scratch"
    end_all(lambda: processes_holding(tmp_path / "scratch"))


@pytest.fixture
def fork_bench(scratch: Path) -> Callable[..., Bench]:
    def bench(**limits: Any) -> Bench:
        site = ForkSite.model_validate({"name": "local", "scratch": str(scratch), "limits": {"poll": "1s", **limits}})
        return Bench(site, Fork(site), shell_at(site))

    return bench
