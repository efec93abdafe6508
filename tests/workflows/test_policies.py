"""What howdah does about each cause: one table, the documents, and commands that can be typed."""

import re
from pathlib import Path
from shlex import split

import pytest
import typer

from howdah.cli.app import app
from howdah.models.causes import FailureCause, Policy
from howdah.models.spec import ExperimentSpec, Retry
from howdah.workflows import course
from howdah.workflows.supervised import FAILS_AT_ONCE

STATES = (Path(__file__).parents[2] / "docs" / "states.md").read_text()


@pytest.mark.parametrize("cause", FailureCause)
def test_what_howdah_does_about_a_cause_is_documented_in_the_same_words(cause: FailureCause) -> None:
    row = re.search(rf"^\| `{cause}` \| [^|]+ \| ([^|]+) \|$", STATES, re.MULTILINE)
    assert row, f"docs/states.md has no row for {cause}"
    assert row[1].startswith(cause.policy)


def test_what_is_tried_again_without_being_asked_for_are_the_causes_with_that_policy() -> None:
    assert set(Retry().on) == {cause for cause in FailureCause if cause.policy is Policy.NEW_ATTEMPT}
    assert {cause for cause in FAILS_AT_ONCE if cause.policy is not Policy.FAILS} == set()


def test_every_key_of_an_experiment_is_in_one_list_of_what_may_change() -> None:
    lists = (course.NEW_ATTEMPT, course.IN_PLACE, course.AT_THE_START, course.NEVER)
    assert sorted(key for keys in lists for key in keys) == sorted(ExperimentSpec.model_fields)


@pytest.mark.parametrize("cause", FailureCause)
def test_the_commands_of_a_hint_can_be_typed(cause: FailureCause) -> None:
    """All but what stands in capitals."""
    commands = re.findall(r"howdah [^;)]+", cause.hint)
    assert commands or "by itself" in cause.hint
    for command in commands:
        words = split(command.replace("{id}", "pi-x").replace("{site}", "local").split(", ")[0])
        _parsed(words[1:])


def _parsed(words: list[str]) -> None:
    command = typer.main.get_command(app)
    while commands := getattr(command, "commands", None):
        command = commands[words.pop(0)]
    command.make_context(command.name, words)
