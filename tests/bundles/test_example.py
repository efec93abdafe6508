"""The example bundle, as a user meets it: its job type with a step of its own, and its kind of site."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundles.world import EXAMPLE, World, forget


@pytest.fixture(scope="module", autouse=True)
def workers(module_world: World) -> Iterator[None]:
    for name in ("experiment.yaml", "pi.py"):
        shutil.copy(EXAMPLE / name, module_world.folder)
    module_world.worker("--workflows", "--site", "local", "--site", "desk")
    module_world.worker("--bundle", "converge")
    module_world.all_ready()
    yield


@pytest.fixture(scope="module")
def converged(module_world: World) -> str:
    assert module_world.howdah("start", str(module_world.folder / "experiment.yaml"), "--id", "pi-1").code == 0
    assert module_world.howdah("watch", "pi-1").code == 0
    return "pi-1"


def test_a_batch_job_is_run_again_with_more_samples_until_its_error_is_small_enough(
    world: World, converged: str
) -> None:
    shown = world.shown(converged)
    assert (shown["state"], shown["job_type"]) == ("succeeded", "converge")
    assert [attempt["state"] for attempt in shown["attempts"]] == ["succeeded"] * 3
    assert "its error is 0.02" in shown["attempts"][-1]["because"]
    for attempt in shown["attempts"]:
        assert "converge.judge" in [step["name"] for step in attempt["steps"]]
    assert [attempt["removed"] for attempt in shown["attempts"]] == [True] * 3
    assert Path(shown["results"], "pi.txt").read_text().startswith("3.1")


def test_it_is_looked_at_and_acted_on_like_any_other(world: World, converged: str, tmp_path: Path) -> None:
    assert "export SAMPLES=16000" in world.howdah("script", converged).out
    assert "error 0.0129" in world.howdah("logs", converged).out
    assert [row["id"] for row in world.howdah("list", "--json").json["experiments"]] == [converged]
    assert world.howdah("explain", converged).code == 0
    assert world.howdah("fetch", converged, "--to", str(tmp_path)).code == 0
    assert (tmp_path / "pi.txt").is_file()


def test_an_operator_may_change_the_keys_that_only_the_bundle_knows(world: World) -> None:
    file = str(world.folder / "experiment.yaml")
    world.howdah("start", file, "--id", "refused", "--set", "resources.nodes=2")
    assert world.howdah("watch", "refused").code == 4
    wrong = world.howdah("retry", "refused", "--set", "tolerence=1")
    assert (wrong.code, "did you mean 'tolerance'" in wrong.err) == (2, True)
    answer = world.howdah("retry", "refused", "--set", "resources.nodes=1", "--set", "tolerance=0.5")
    assert answer.code == 0, answer.err
    world.ended("refused")
    shown = world.shown("refused")
    assert "tolerance: 0.02 -> 0.5" in shown["answers"][0]["changes"]
    assert len(shown["attempts"]) == 2  # the one that was refused, and one round


def test_a_round_that_prints_no_error_fails_and_can_be_run_again_with_changes(world: World) -> None:
    file = str(world.folder / "experiment.yaml")
    world.howdah("start", file, "--id", "silent", "--set", "command=echo", "--set", "outputs=[]")
    assert world.howdah("watch", "silent").code == 1
    assert "no line 'error NUMBER'" in world.shown("silent")["failure"]["message"]
    again = world.howdah("retry", "silent", "--set", "command=echo error 0.001", "--set", "samples=5")
    assert again.code == 0, again.err
    world.ended("silent")
    assert "SAMPLES=5" in world.howdah("script", "silent").out


def test_one_that_is_cancelled_is_seen_gone(world: World) -> None:
    file = str(world.folder / "experiment.yaml")
    world.howdah("start", file, "--id", "endless", "--set", "command=sleep 3600")
    assert world.howdah("cancel", "endless").code == 0
    assert world.shown("endless")["state"] == "cancelled"


def test_who_has_not_installed_the_bundle_can_still_look_at_its_experiments(
    world: World, converged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOWDAH_PLUGINS", "none")
    forget()
    try:
        assert world.shown(converged)["job_type"] == "converge"
        assert world.howdah("explain", converged).code == 0
        assert "export SAMPLES=16000" in world.howdah("script", converged).out
    finally:
        forget()


def test_the_kind_of_site_steps_aside(world: World) -> None:
    world.started("polite", "hpc", "nice", "--site", "desk")
    world.ended("polite")
    assert world.howdah("logs", "polite").out.strip() == "7"


def test_what_is_wrong_in_a_file_is_told_by_line_before_anything_starts(world: World) -> None:
    wrong = world.folder / "wrong.yaml"
    wrong.write_text("name: pi\ntype: converge\ncommand: true\ntolerence: 0.1\ngrowth: 1\n")
    answer = world.howdah("start", str(wrong))
    assert answer.code == 2
    assert "wrong.yaml:4: tolerence: is not known here; did you mean 'tolerance'?" in answer.err
    assert "wrong.yaml:5: growth: must be at least 2" in answer.err
    assert "tolerance: is required" in answer.err
    assert "howdah type schema converge" in answer.err


def test_a_job_type_that_nobody_has_is_told_with_the_nearest_one(world: World) -> None:
    wrong = world.folder / "wrong.yaml"
    wrong.write_text("name: pi\ntype: converged\ncommand: true\n")
    answer = world.howdah("start", str(wrong))
    assert answer.code == 2
    assert "wrong.yaml:2: type: No job type 'converged' is installed. Did you mean 'converge'?" in answer.err


def test_its_schema_has_the_keys_of_both(world: World) -> None:
    properties = world.howdah("type", "schema", "converge").json["properties"]
    assert {"tolerance", "resources", "type"} <= properties.keys()
