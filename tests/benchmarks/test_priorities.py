"""The backlog that benchmarks.priorities works off, in small."""

from benchmarks import backlog


async def test_urgent_steps_overtake_a_backlog_that_projects_share(temporal: str) -> None:
    found = await backlog.measure(temporal, 120, 5, slots=2, shares={"big": 3.0, "small": 1.0}, holds=True)
    assert max(found.overtaken) <= 2, "one for each slot, that the worker had asked for already"
    first = found.among_first(12)
    assert first["big"] > 2 * first["small"] > 0, found.order
