"""The main job, as a user does it, at every kind of site."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Lab

PI = Path(__file__).parents[2] / "examples" / "pi"


@pytest.mark.parametrize("site", ["local", "vm", "cluster"])
def test_the_first_example_runs_at_every_site(lab: Lab, site: str) -> None:
    for name in ("experiment.yaml", "pi.py", "settings.json"):
        (lab.folder / name).write_bytes((PI / name).read_bytes())
    id_ = f"pi-{site}"
    done = lab.howdah("start", "experiment.yaml", "--site", site, "--id", id_, "--watch")
    assert done.code == 0, done
    results = lab.folder / "results" / id_
    assert str(results) in done.err + done.out
    assert 3.13 < json.loads((results / "pi.json").read_text())["pi"] < 3.15
    shown = lab.show("last")
    assert (shown["id"], shown["state"]) == (id_, "succeeded")
    (attempt,) = shown["attempts"]
    assert attempt["native_id"]
    assert all(step["started"] and step["ended"] and step["worker"] for step in attempt["steps"])
    for output in shown["outputs"]:
        data = Path(output["location"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (output["size"], output["sha256"])
    assert {output["path"] for output in shown["outputs"]} >= {"pi.json", "tables/convergence.csv", "stdout.txt"}
    if site == "cluster":
        assert lab.batch_jobs(shown) == ["COMPLETED"]
    if site != "local":
        assert not list((lab.cluster.scratch / site).glob(f"{id_}*")), "the folder goes when all is home"


def test_folders_texts_and_globs_go_in_and_come_home(lab: Lab) -> None:
    data = lab.folder / "data"
    (data / "deep").mkdir(parents=True)
    (data / "a file with 'quotes'").write_text("1")
    (data / "deep" / "b").write_text("2")
    inputs = ["data", {"text": "hello", "to": "words/greeting.txt"}]
    outputs = ["out/**", {"path": "log-*.txt", "to": "logs"}, {"path": "nothing", "required": False}]
    shown = lab.run(
        "mkdir out; cp -r data words out/; echo x > log-1.txt", inputs=inputs, outputs=outputs, code=0, site="vm"
    )
    results = Path(shown["results"])
    assert (results / "out" / "data" / "a file with 'quotes'").read_text() == "1"
    assert (results / "out" / "words" / "greeting.txt").read_text() == "hello"
    assert (results / "logs" / "log-1.txt").read_text() == "x\n"


def test_an_id_of_ones_own_starts_once(lab: Lab) -> None:
    path = str(lab.write("true"))
    first = lab.howdah("start", path, "--site", "vm", "--id", "mine-1")
    again = lab.howdah("start", path, "--site", "vm", "--id", "mine-1", "--watch")
    assert (first.code, again.code) == (0, 0)
    assert lab.began() == 1
    other = lab.howdah("start", str(lab.write("false")), "--site", "vm", "--id", "mine-1")
    assert other.code == 2
    assert "mine-1" in other.err


def test_logs_are_followed_while_the_job_runs(lab: Lab) -> None:
    id_ = lab.start("echo first; until [ -e go ]; do sleep 0.1; done; echo second", site="vm")
    following = lab.cluster.start_program("logs", id_, "-f")
    assert following.stdout is not None
    assert following.stdout.readline() == "first\n"
    folder = lab.show(id_)["attempts"][0]["folder"]
    (Path(folder) / "go").touch()
    assert following.stdout.read() == "second\n"
    assert following.wait(30) == 0
    following.stdout.close()


def test_the_script_that_is_shown_is_the_script_that_was_sent(lab: Lab) -> None:
    id_ = lab.start("until [ -e go ]; do sleep 0.1; done")
    shown = lab.until(id_, lambda shown: bool(shown["attempts"] and shown["attempts"][0]["native_id"]))
    folder = Path(shown["attempts"][0]["folder"])
    sent = lab.howdah("script", id_, "--json").json
    assert sent["script"] == (folder / ".howdah" / "script").read_text()
    assert sent["command"] == (folder / ".howdah" / "command").read_text()
    (folder / "go").touch()
    assert lab.howdah("watch", id_).code == 0


def test_an_experiment_can_be_named_by_a_prefix_and_by_last(lab: Lab) -> None:
    id_ = lab.start("true", site="local")
    assert lab.show(id_[:-2])["id"] == lab.show("last")["id"] == id_
    rows = lab.howdah("list", "--json").json["experiments"]
    assert id_ in {row["id"] for row in rows}
