"""The program without a server: help, exit codes, errors, what is refused before anything starts."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer

from howdah.cli import completion
from howdah.cli.app import app, run
from howdah.cli.errors import ExitCode, complaint
from howdah.errors import Rejected, SiteUnreachable
from howdah.steps.batch import CAPABILITIES
from tests.cli.answer import Howdah
from tests.cli.conftest import SPEC

HEAVY = ("temporalio", "asyncssh", "httpx", "obstore", "ruamel")


def commands(command: Any, path: str = "howdah") -> Iterator[tuple[str, Any]]:
    """Every command of the program with its full name."""
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from commands(inner, f"{path} {name}")
    else:
        yield path, command


ALL = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", ALL)
def test_every_command_says_what_it_does_and_gives_an_example_of_itself(name: str) -> None:
    assert len(ALL[name].help) > 20
    assert ALL[name].epilog.startswith(f"Example: {name}")


@pytest.mark.parametrize("name", ALL)
def test_every_option_of_every_command_is_explained(name: str) -> None:
    told = [parameter.help for parameter in ALL[name].params if parameter.param_type_name == "option"]
    assert all(told)


@pytest.mark.parametrize("name", ALL)
def test_json_and_debug_go_with_every_command(name: str) -> None:
    options = {option for parameter in ALL[name].params for option in parameter.opts}
    assert {"--json", "--debug"} <= options


def in_a_process(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from howdah.cli.app import main; main()", *arguments]
    told = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, env=told, check=False)


@pytest.mark.parametrize("arguments", [["--help"], ["start", "--help"], ["--version"], ["shwo"]])
def test_help_and_typing_mistakes_import_nothing_heavy(arguments: list[str], project: Path) -> None:
    code = f"""
import sys
from howdah.cli.app import run
run({arguments!r})
print("HEAVY", *sorted({{name.partition(".")[0] for name in sys.modules}} & set({HEAVY!r})))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1].split() == ["HEAVY"]


def test_help_of_every_command_and_group_imports_neither_models_nor_an_event_loop(project: Path) -> None:
    pages = [["--help"], *([*name.split()[1:], "--help"] for name in ALL)]
    groups = [[*page[:-2], "--help"] for page in pages if len(page) > 2]
    code = f"""
import sys
from howdah.cli.app import run
for page in {[*pages, *groups]!r}:
    assert run(page) == 0, page
print("HEAVY", *sorted({{name.partition(".")[0] for name in sys.modules}} & {{*{HEAVY!r}, "pydantic", "asyncio"}}))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1].split() == ["HEAVY"]


def test_completion_knows_ids_sites_and_states_without_anything_heavy(project: Path) -> None:
    completion.remember(["pi-aaaaaa", "mesh-bbbbbb"])
    code = """
import sys
from howdah.cli import completion
print(completion.ids("p"), completion.ids("l"), completion.sites("b"), completion.states("w"))
heavy = {"temporalio", "asyncssh", "httpx", "obstore"}
print("HEAVY", *sorted({name.partition(".")[0] for name in sys.modules} & heavy))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["['pi-aaaaaa'] ['last'] ['bigred'] ['waiting']", "HEAVY"]


def test_completion_knows_every_capability() -> None:
    assert completion.capabilities("") == list(CAPABILITIES)
    assert completion.capabilities("s") == ["submission", "staging"]


def test_the_shell_is_given_completions(project: Path) -> None:
    completion.remember(["pi-aaaaaa"])
    told = in_a_process(_HOWDAH_COMPLETE="complete_bash", COMP_WORDS="howdah show p", COMP_CWORD="2")
    assert told.stdout.split() == ["pi-aaaaaa"]
    assert told.returncode == 0


@pytest.mark.parametrize("content", ["", "[]", "{", '{"ids": 5, "last": 5}', '{"ids": [5], "last": {"at": "x"}}'])
def test_a_broken_memory_of_ids_is_no_memory(project: Path, content: str) -> None:
    completion.remember(["pi-aaaaaa"])
    (project.parent / "state" / "seen.json").write_text(content)
    assert completion.ids("") == ["last"]
    assert completion.last_started("embedded") is None


def test_what_was_started_just_now_here_is_known_for_its_server_only(project: Path) -> None:
    completion.remember_start("pi-aaaaaa", "embedded")
    assert completion.last_started("embedded") == "pi-aaaaaa"
    assert completion.last_started("other:7233/default") is None
    assert completion.last_started("embedded", within=0.0) is None


def test_exit_codes_are_in_the_help(howdah: Howdah) -> None:
    told = " ".join(howdah("--help").out.split())
    assert all(f"{code.value} {code.meaning}" in told for code in ExitCode)


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["shwo"], "No such command 'shwo'. Did you mean 'show'?", "howdah --help"),
        (["show"], "Missing argument 'ID'.", "howdah show --help"),
        (["list", "--limit", "0"], "Invalid value for '--limit'", "howdah list --help"),
        (["start", "none.yaml"], "Cannot read none.yaml: No such file or directory.", "howdah start FILE"),
        (["site", "show", "bigrde"], "No site 'bigrde'. Did you mean 'bigred'?", "howdah site check bigrde"),
        (["type", "show", "hcp"], "No job type 'hcp' is installed.", "install the bundle"),
        (["start", "experiment.yaml", "--id", "last"], "'last' cannot be an id.", "letters, digits"),
        (["start", "experiment.yaml", "--id", "../x"], "'../x' cannot be an id.", "letters, digits"),
        (["list", "--state", "runing"], "There is no state 'runing'; did you mean 'running'?", "states: created"),
    ],
)
def test_wrong_usage_is_told_in_two_lines_and_ends_with_2(
    howdah: Howdah, arguments: list[str], message: str, hint: str
) -> None:
    told = howdah(*arguments)
    assert told.code == ExitCode.USAGE
    assert told.out == ""
    first, second = told.err.splitlines()
    assert first.startswith(f"error: {message}")
    assert second.startswith(" hint: ") and hint in second


def test_an_error_as_json_is_one_object_on_standard_error(howdah: Howdah) -> None:
    told = howdah("start", "none.yaml", "--json")
    assert told.out == ""
    assert set(told.error) == {"code", "message", "hint", "problems"}
    assert told.error["code"] == "user_error"


def test_json_may_stand_before_the_command_too(howdah: Howdah) -> None:
    assert howdah("--json", "site", "list").json == howdah("site", "list", "--json").json


def test_a_wrong_experiment_is_told_with_all_its_problems_and_ends_with_2(howdah: Howdah, project: Path) -> None:
    wrong = SPEC.replace("pi.py]", "none.py]").replace("bigred", "bigrde") + "expires: 1h\nstart_at: 2100-01-01\n"
    (project / "experiment.yaml").write_text(wrong)
    told = howdah("start", "experiment.yaml", "--json")
    assert told.code == ExitCode.USAGE
    lines = told.error["problems"]
    assert lines[0].startswith("experiment.yaml:2: site: No site 'bigrde'. Did you mean 'bigred'?")
    assert lines[1].startswith("experiment.yaml:7: start_at: is more than ten years away")
    assert lines[2] == f"experiment.yaml:4: inputs.0: no such file: {project / 'none.py'}"


def test_an_experiment_that_expires_before_it_may_start_is_refused(howdah: Howdah, project: Path) -> None:
    told = howdah("start", "experiment.yaml", "--set", "expires=1h", "--set", "start_at=2030-01-01", "--json")
    assert told.error["problems"] == ["--set expires=1h: expires: is over before 'start_at'; it counts from now on"]


def test_results_that_cannot_be_made_are_refused(howdah: Howdah, project: Path) -> None:
    told = howdah("start", "experiment.yaml", "--set", "results=pi.py/results", "--json")
    assert told.error["problems"] == [f"--set results=pi.py/results: results: {project / 'pi.py'} is not a folder"]


def test_an_experiment_too_large_for_temporal_is_refused(howdah: Howdah, project: Path) -> None:
    names = ", ".join(f"{{from: pi.py, to: {'x' * 200}/{number}}}" for number in range(3000))
    (project / "experiment.yaml").write_text(SPEC.replace("[pi.py]", f"[{names}]"))
    told = howdah("start", "experiment.yaml", "--json")
    assert "is too large as a whole" in told.error["problems"][0]


def test_what_will_be_noted_of_many_inputs_counts_before_any_is_read(howdah: Howdah, project: Path) -> None:
    names = ", ".join(f"{{from: pi.py, to: '{number}'}}" for number in range(3000))
    (project / "experiment.yaml").write_text(SPEC.replace("[pi.py]", f"[{names}]"))
    told = howdah("start", "experiment.yaml", "--dry-run", "--json")
    assert "is too large as a whole" in told.error["problems"][0]


def test_a_dry_run_shows_what_would_be_done_and_starts_nothing(howdah: Howdah, project: Path) -> None:
    plan = howdah("start", "experiment.yaml", "--dry-run", "--json").json
    script = plan.pop("script")
    assert plan == {
        "name": "pi",
        "site": "bigred",
        "folder": "/nowhere/howdah/pi-<id>/main/1-<key>",
        "results": str(project / "results" / "pi-<id>"),
        "inputs": [{"path": "pi.py", "source": str(project / "pi.py"), "size": 9, "files": 1}],
        "outputs": ["pi.json"],
        "files": 1,
        "size": 9,
        "depot": None,
    }
    assert "#!/bin/sh" in script["script"] and "<folder>" in script["script"]
    assert script["command"].endswith("python3 pi.py\n")
    assert sorted(path.name for path in project.iterdir()) == ["experiment.yaml", "pi.py", "sites.toml"]
    assert not (project.parent / "state").exists()


def test_the_script_of_a_file_is_for_the_site_it_would_run_at(howdah: Howdah) -> None:
    told = howdah("script", "experiment.yaml", "--site", "summit")
    assert told.code == ExitCode.DONE
    assert "#SBATCH" in told.out


def test_a_script_of_a_file_that_is_not_there_is_not_asked_of_a_server(howdah: Howdah) -> None:
    assert "Cannot read none.yaml" in howdah("script", "none.yaml").err


def test_an_experiment_may_come_from_standard_input(project: Path) -> None:
    command = [sys.executable, "-c", "from howdah.cli.app import main; main()", "start", "-", "--dry-run", "--json"]
    told = subprocess.run(command, input=SPEC, capture_output=True, text=True, check=True)
    assert json.loads(told.stdout)["results"] == str(project / "results" / "pi-<id>")


def test_no_server_is_told_at_once_and_ends_with_3(howdah: Howdah, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    told = howdah("list", "--json")
    assert told.code == ExitCode.UNREACHABLE
    assert told.error["code"] == "server_unreachable"


def test_no_embedded_server_is_told_with_how_to_start_it(howdah: Howdah) -> None:
    told = howdah("show", "last")
    assert told.code == ExitCode.UNREACHABLE
    assert "howdah up" in told.err.splitlines()[1]


def test_sites_are_listed_and_shown(howdah: Howdah) -> None:
    assert [site["name"] for site in howdah("site", "list", "--json").json] == ["bigred", "summit", "local"]
    assert howdah("site", "show", "bigred", "--json").json["limits"]["poll"] == 1.0
    assert "hipaa, gpu" in howdah("site", "show", "bigred").out


def test_the_schema_of_a_spec_knows_its_keys_and_short_forms(howdah: Howdah) -> None:
    schema = howdah("type", "schema", "hpc").json
    assert {"name", "command", "site", "inputs"} <= set(schema["properties"])
    assert schema["$defs"]["Input"]["anyOf"][0] == {"type": "string"}
    assert "from" in schema["$defs"]["Input"]["anyOf"][1]["properties"]


def test_a_job_type_is_shown_with_all_its_keys(howdah: Howdah) -> None:
    keys = {key["name"]: key for key in howdah("type", "show", "hpc", "--json").json["keys"]}
    assert keys["name"]["default"] == "required"
    assert keys["resources.walltime"]["default"] == "none"
    assert "resources.nodes" in howdah("type", "show", "hpc").out


def test_every_key_of_a_job_type_is_shown_with_its_meaning(howdah: Howdah) -> None:
    keys = howdah("type", "show", "hpc", "--json").json["keys"]
    assert [key["name"] for key in keys if not key["meaning"]] == []
    assert "who is charged for it" in howdah("type", "show", "hpc").out


def test_debug_shows_where_an_error_comes_from(howdah: Howdah) -> None:
    assert "Traceback" in howdah("--debug", "start", "none.yaml").err
    assert "Traceback" not in howdah("start", "none.yaml").err


def test_whatever_goes_wrong_has_a_code_a_message_and_a_hint() -> None:
    told = complaint(ZeroDivisionError("division by zero\nand more"))
    assert (told.code, told.exit_code) == ("internal", ExitCode.FAILED)
    assert told.message == "ZeroDivisionError: division by zero"
    assert complaint(SiteUnreachable("no")).exit_code == ExitCode.UNREACHABLE
    assert complaint(Rejected("no")).exit_code == ExitCode.FAILED


def test_a_reader_that_has_had_enough_is_no_failure(project: Path) -> None:
    command = f"{sys.executable} -c 'from howdah.cli.app import main; main()' type schema hpc | head -1"
    told = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


def test_a_reader_that_was_gone_before_is_no_failure(project: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", "from howdah.cli.app import main; main()", "type", "list"]
    told = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (told.returncode, told.stderr) == (0, "")


def test_a_full_disk_is_told_as_such_and_is_no_fault_of_howdah() -> None:
    told = complaint(OSError(errno.ENOSPC, "No space left on device", "/home/ada/results"))
    assert (told.code, told.exit_code) == ("disk_full", ExitCode.FAILED)
    assert "/home/ada/results" in told.message


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_stream_that_is_closed_does_not_matter(closed: str, project: Path) -> None:
    command = f"{sys.executable} -c 'from howdah.cli.app import main; main()' type list {closed}"
    told = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


def test_who_wants_no_colour_gets_no_bold_and_no_dim_text(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", stream)
    run(["type", "list"])
    assert "hpc" in stream.getvalue() and "\x1b" not in stream.getvalue()


def test_signs_that_the_terminal_does_not_know_do_not_end_a_command(project: Path) -> None:
    told = in_a_process("doctor", PYTHONIOENCODING="ascii:strict")
    assert (told.returncode, told.stderr) == (ExitCode.FAILED, "")
    assert "?  python" in told.stdout


def test_json_is_utf_8_whatever_the_terminal_knows(project: Path) -> None:
    (project / "sites.toml").write_text('[sites.here]\nkind = "fork"\nscratch = "/x"\ndescription = "größer"\n')
    told = in_a_process("site", "show", "here", "--json", PYTHONIOENCODING="ascii:strict")
    assert json.loads(told.stdout)["description"] == "größer"


@pytest.mark.parametrize("address", ["127.0.0.1:99999", " "])
def test_an_address_that_is_none_is_wrong_usage(address: str, howdah: Howdah, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    told = howdah("list")
    assert told.code == ExitCode.USAGE
    assert "is no address of a Temporal server" in told.err and "HOST:PORT" in told.err


def test_doctor_without_a_server_is_red_and_says_why(howdah: Howdah) -> None:
    told = howdah("doctor", "--json")
    assert told.code == ExitCode.FAILED
    findings = {finding["name"]: finding for finding in told.json}
    assert findings["python"]["ok"] and findings["state folder"]["ok"]
    assert not findings["server"]["ok"] and "howdah up" in findings["server"]["hint"]
