"""Batch jobs that end in every way there is, on a real Slurm: what is told of each is right, whatever the site keeps.

`python -m benchmarks.endings` does all of it at length; here is as much as has room in every run.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from howdah.testing.endings import CORNERS, EXITS, QUICK, SIGNALS, SOME, Ending
from howdah.testing.endings_trial import Verdict, judged
from howdah.testing.endings_worlds import WORLDS
from howdah.testing.slurm import PrivateSlurm

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

FAST: dict[str, tuple[Ending, ...]] = {
    "with accounting": CORNERS + QUICK,
    "without accounting": EXITS[::8] + SIGNALS,
    "MinJobAge=2, without accounting": CORNERS + QUICK,
    "clocks an hour apart": SOME,
    "accounting down": CORNERS[::4] + QUICK[:5],
}


@pytest.fixture(scope="module")
def verdicts() -> dict[str, list[Verdict]]:
    """Of all worlds, which are judged at the same time: most of it is waiting."""
    if told := PrivateSlurm.missing(accounting=True):
        pytest.skip(told)

    with ThreadPoolExecutor(len(FAST)) as threads:
        judging = {name: threads.submit(judged, WORLDS[name], endings, within=240) for name, endings in FAST.items()}
    return {name: found.result() for name, found in judging.items()}


@pytest.mark.parametrize("world", FAST)
def test_how_a_batch_job_ended_is_told_right(world: str, verdicts: dict[str, list[Verdict]]) -> None:
    wrong = [str(verdict) for verdict in verdicts[world] if not verdict.is_right]
    assert verdicts[world] and not wrong, "\n".join(wrong)
