"""What a worker serves: exactly what was named, once anything was."""

import pytest

from howdah.errors import ConfigError, UnknownName
from howdah.models.sites import ForkSite, Site
from howdah.steps.batch import CAPABILITIES
from howdah.workers.offer import offer, read_slots

KNOWN: dict[str, Site] = {name: ForkSite(name=name, scratch="/tmp") for name in ("bigred", "local")}


def served(**asked: object) -> tuple[list[str], tuple[str, ...], tuple[str, ...], bool]:
    told = offer(KNOWN, **asked)  # type: ignore[arg-type]  # the table below names keywords of its own
    return [site.name for site in told.sites], told.capabilities if told.sites else (), told.bundles, told.workflows


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, (["bigred", "local"], CAPABILITIES, (), True)),
        ({"workflows": False}, (["bigred", "local"], CAPABILITIES, (), False)),
        ({"workflows": True}, ([], (), (), True)),
        ({"sites": ["bigred"]}, (["bigred"], CAPABILITIES, (), False)),
        ({"sites": ["bigred", "bigred"], "workflows": True}, (["bigred"], CAPABILITIES, (), True)),
        ({"capabilities": ["staging"]}, (["bigred", "local"], ("staging",), (), False)),
        ({"bundles": ["microscopy"]}, ([], (), ("microscopy",), False)),
        ({"bundles": ["microscopy"], "workflows": True}, ([], (), ("microscopy",), True)),
        (
            {"bundles": ["microscopy"], "sites": ["local"], "capabilities": ["control"]},
            (["local"], ("control",), ("microscopy",), False),
        ),
    ],
)
def test_nothing_is_served_that_was_not_named_once_anything_was(asked: dict[str, object], expected: object) -> None:
    assert served(**asked) == expected


def test_a_site_or_capability_that_there_is_not_is_refused() -> None:
    with pytest.raises(UnknownName, match="bigrod"):
        offer(KNOWN, sites=["bigrod"])
    with pytest.raises(ConfigError, match="sailing"):
        offer(KNOWN, capabilities=["sailing"])


def test_slots_are_numbers_of_what_is_served() -> None:
    told = offer(KNOWN, bundles=["microscopy"], sites=["local"], slots=["staging=8", "microscopy=3"])
    assert told.slots == {"staging": 8, "microscopy": 3}
    assert offer(KNOWN, slots=["workflows=40"]).slots == {"workflows": 40}


@pytest.mark.parametrize(
    "word",
    [
        "control=8",
        "staging",
        "staging=",
        "staging=many",
        "staging=1",
        "staging=-3",
        "staging=1000001",
        f"staging={10**23}",
    ],
)
def test_slots_of_what_is_not_served_or_that_are_no_number_are_refused(word: str) -> None:
    with pytest.raises(ConfigError, match="--slots"):
        read_slots([word], ["staging"])
