"""`howdah site show` tells how the slots of a site are taken, in all and by project."""

from howdah.cli.views.slots import slot_lines
from howdah.models.slots import Ask, ProjectSlots, SlotLimits, SlotsTally, Want
from howdah.workers.sharing.slot_exchange import exchange
from tests.cli.stage import Stage

LIMITS = SlotLimits(most=3, projects={"lattice": ProjectSlots(most=1, share=2.0)})


def want(key: str, project: str = "") -> Want:
    return Want(key=key, workflow=key, project=project, priority=3)


async def test_slots_that_are_held_and_waited_for_are_shown_by_project(stage: Stage) -> None:
    came = (want("a", "lattice"), want("b", "lattice"), want("c"))
    ask = Ask(worker="w", number=1, came=came, limits=LIMITS)
    answer = await exchange(stage.client, stage.site.name, ask)
    assert set(answer.granted) == {"a", "c"}

    told = (await stage.howdah("site", "show", stage.site.name, "--json")).json["slots"]
    assert (told["most"], told["held"], told["waiting"]) == (3, 2, 1)
    assert told["projects"][1] == {"project": "lattice", "held": 1, "waiting": 1, "most": 1, "share": 2.0}

    shown = (await stage.howdah("site", "show", stage.site.name)).out
    assert "slots  2 of 3 taken, 1 waits\n" in shown
    assert "  no project: 1 taken, 0 wait\n" in shown
    assert "  lattice: 1 of 1 taken, 1 waits, share 2\n" in shown


async def test_a_site_without_a_book_has_no_slot_taken(stage: Stage) -> None:
    told = (await stage.howdah("site", "show", "local", "--json")).json["slots"]
    assert (told["held"], told["waiting"], told["projects"]) == (0, 0, [])


def test_where_nobody_has_a_project_there_is_one_line() -> None:
    assert [str(line) for line in slot_lines(SlotsTally())] == ["slots  0 taken, 0 wait"]
