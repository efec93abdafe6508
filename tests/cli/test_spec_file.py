"""Every way in which an experiment's file can be wrong is told, with its line, before anything starts."""

import resource
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howdah.cli.spec_file import changed_spec, parse_settings, read_spec
from howdah.cli.yaml_text import NotYaml, plain_value, read_yaml
from howdah.errors import SpecError, UserError
from howdah.models.spec import ExperimentSpec, Urgency


def spec(path: Path, text: str, *settings: str) -> ExperimentSpec:
    path.write_text(text)
    return read_spec(str(path), parse_settings(settings)).spec


def problems(path: Path, text: str | bytes, *settings: str) -> list[str]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SpecError) as caught:
        read_spec(str(path), parse_settings(settings))
    return [problem.removeprefix(str(path)) for problem in caught.value.problems]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "experiment.yaml"


GOOD = "name: pi\ncommand: echo\n"


def test_an_unknown_key_is_told_with_its_line_and_the_nearest_right_one(file: Path) -> None:
    text = GOOD + "resources:\n  nodes: 1\n  walltim: 1h\n"
    assert problems(file, text) == [":5: resources.walltim: is not known here; did you mean 'walltime'?"]


def test_every_problem_is_told_in_one_go(file: Path) -> None:
    text = "name: pi\ninputs: [5]\noutputs: [/etc/passwd]\nresources:\n  walltime: -1\n  nodes: 0\n"
    assert problems(file, text) == [
        ":1: command: is required",
        ":2: inputs.0: must be a table: {KEY: VALUE}",
        ":3: outputs.0: must be a path relative to the job's folder, such as results/table.csv",
        ":5: resources.walltime: a duration must be longer than zero",
        ":6: resources.nodes: must be at least 1",
    ]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("outputs: [../secret]", "outputs.0: must not climb out"),
        ("outputs: ['a/../../b']", "outputs.0: must not climb out"),
        ("outputs: [.howdah/script]", "outputs.0: .howdah belongs to howdah"),
        ("inputs: [{from: a, to: /etc/cron.d/x}]", "inputs.0.to: must be a path relative"),
        ("inputs: [{from: 'https://me:secret@example.org/x'}]", "inputs.0.from: must not hold a user name or password"),
        ("resources: {nodes: true}", "resources.nodes: must be a whole number"),
        ("resources: {nodes: 1.5}", "resources.nodes: must be a whole number"),
        ("resources: {nodes: '2'}", "resources.nodes: must be a whole number"),
        ("resources: {memory: 1e400G}", "resources.memory: '1e400G' is not a size"),
        ("resources: {memory: 1e400}", "resources.memory: a size is a text"),
        ("resources: {walltime: 99999999:00}", "resources.walltime: '99999999:00' is not a duration"),
        ("resources: {walltime: .inf}", "resources.walltime: this duration is out of range"),
        ("resources: {walltime: .nan}", "resources.walltime: this duration is out of range"),
        ("expires: yes please", "expires: 'yes please' is not a duration"),
        ("start_at: tomorrow", "start_at: is not a date and time"),
        ("priority: hihg", "priority: must be one of: urgent, high, normal, low, idle; did you mean 'high'?"),
        ("retry: {on: [prempted]}", "did you mean 'preempted'?"),
        ("project: 2026", "project: must be a text; put it in quotes"),
        ("site: {label: [gpu]}", "site.label: is not known here; did you mean 'labels'?"),
        ("site: {labels: []}", "site.labels: must not be empty"),
        ("site: 7", "site: must be a text; put it in quotes"),
        ("results: ''", "results: must not be empty"),
    ],
)
def test_wrong_values_are_told_in_the_users_words(file: Path, written: str, told: str) -> None:
    found = problems(file, f"{GOOD}{written}\n")
    assert any(problem.startswith(":3: ") and told in problem for problem in found), found
    assert not any("Input should" in problem or "pydantic" in problem for problem in found)


def test_two_inputs_of_one_name_are_told(file: Path) -> None:
    found = problems(file, GOOD + "inputs: [a, b/a]\n")
    assert found == [":1: inputs 0 and 1 both become 'a'; give one another 'to'"]


BREAKS = ["x\n#SBATCH --uid=0", "x\\n#SBATCH --uid=0", "--uid=0", "x y", "x;id", "$(id)", "`id`", "x'y", 'x"y', ""]


@pytest.mark.parametrize("text", [*BREAKS, "debug --reservation=x", "x\r", "x\x1b[2J", "x\u2028y", "x\n"])
@pytest.mark.parametrize(
    "place",
    [
        "name={}",
        "resources.queue={}",
        "resources.account={}",
        "resources.qos={}",
        "project={}",
        "site={}",
        "environment.modules=[{}]",
        "environment.container={}",
        "environment.variables={{{}: x}}",
    ],
)
def test_nothing_that_becomes_part_of_a_script_can_break_out_of_its_line(file: Path, text: str, place: str) -> None:
    quoted = '"' + "".join(f"\\U{ord(char):08x}" for char in text) + '"'
    found = problems(file, GOOD, place.format(quoted))
    assert len(found) == 1


@pytest.mark.parametrize("name", ["A;B", "A B", "1A", "A\nB", "LD_PRELOAD", "BASH_ENV", "SLURM_JOB_ID", "HOWDAH_KEY"])
def test_names_of_variables_are_names_and_reserved_ones_stay_ours(file: Path, name: str) -> None:
    quoted = '"' + name.replace("\n", "\\n") + '"'
    assert "environment.variables" in problems(file, f"{GOOD}environment: {{variables: {{{quoted}: x}}}}\n")[0]


def test_what_a_command_says_is_data(file: Path) -> None:
    text = 'name: pi\ncommand: "echo $(touch /x) `id` \'; rm -rf ~\' \\"{{ x }}\\""\n'
    assert spec(file, text).command == "echo $(touch /x) `id` '; rm -rf ~' \"{{ x }}\""


def test_nul_and_control_characters_are_refused_raw_and_escaped(file: Path) -> None:
    assert problems(file, b"name: pi\ncommand: echo \0\n") == [":2: holds a control character ('\\x00')"]
    assert problems(file, b"name: pi\ncommand: echo \x1b[2J\n") == [":2: holds a control character ('\\x1b')"]
    assert problems(file, 'name: pi\ncommand: "echo \\0"\n') == [":2: command: must not hold NUL bytes"]


def test_a_duplicate_key_is_told_with_the_line_of_the_second(file: Path) -> None:
    found = problems(file, GOOD + "resources:\n  nodes: 1\n  nodes: 2\ncommand: again\n")
    assert found == [":5: resources.nodes: is there twice", ":6: command: is there twice"]


def test_tags_are_refused(file: Path) -> None:
    found = problems(file, "name: pi\ncommand: !!python/object/apply:os.system ['id']\n")
    assert found == [":2: holds a tag (tag:yaml.org,2002:python/object/apply:os.system); tags are not allowed"]


def test_billion_laughs_are_refused_at_once_and_in_little_memory(file: Path) -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    found = problems(file, "\n".join(lines) + "\n")
    spent, grown = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert "grows too large" in found[0]
    assert spent < 1 and grown < 200 * 1024


def test_a_long_text_that_is_aliased_many_times_counts_in_full() -> None:
    text = f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 5000)}]\n"
    with pytest.raises(NotYaml, match="grows too large"):
        read_yaml(text.encode())


@pytest.mark.parametrize(
    "text", ["a: " + "[" * 100_000, "a: " + "{a: " * 1000, "- " * 5000, "a: &a [*a]", "? [x]\n: y"]
)
def test_what_yaml_allows_and_nobody_needs_is_refused(text: str) -> None:
    with pytest.raises(NotYaml):
        read_yaml(text.encode())


def test_a_few_aliases_are_welcome(file: Path) -> None:
    text = GOOD + "inputs: [&data data.csv]\noutputs: [{path: *data}]\n"
    assert spec(file, text).outputs[0].path == "data.csv"


def test_a_file_larger_than_a_mebibyte_is_refused_unread(file: Path) -> None:
    assert problems(file, "name: pi\ncommand: " + "x" * 5_000_000)[0].startswith(": is larger than 1 MiB")


def test_a_command_of_many_kilobytes_is_refused(file: Path) -> None:
    assert problems(file, "name: pi\ncommand: " + "x" * 70_000) == [":2: command: is longer than 65536 characters"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", ": is empty"),
        (b"- a\n", ": is not a table"),
        (b"name: pi\n---\nname: pi\n", ":2: holds more than one document"),
        (b"name: [\n", ": is not valid YAML"),
        (b"name: pi\ncommand: \xff\n", ":2: is not UTF-8"),
        (b'name: "\\ud800"\ncommand: x\n', ""),
    ],
)
def test_what_is_no_experiment_at_all_is_told(file: Path, text: bytes, told: str) -> None:
    assert told in problems(file, text)[0]


def test_a_missing_file_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read_spec(str(tmp_path / "none.yaml"))


def test_yaml_is_version_1_2() -> None:
    lines = ["a: no", "b: 010", "c: 1_000", "d: 01:30:00", "e: 2026-12-01", "f: 0o17", "g: ~", "h: 1e3", "i: '5'"]
    document = read_yaml("\n".join([*lines, "<<: {j: 1}"]).encode())
    assert document.value == {
        "a": "no",
        "b": 10,
        "c": "1_000",
        "d": "01:30:00",
        "e": "2026-12-01",
        "f": 15,
        "g": None,
        "h": 1000.0,
        "i": "5",
        "<<": {"j": 1},
    }


def test_an_honest_experiment_reads_as_written(file: Path) -> None:
    text = """\
name: pi
site: {labels: [gpu, hipaa]}
command: |
  python3 pi.py
inputs: [pi.py, "https://example.org/table.csv", {from: "s3://bucket/mesh.dat", to: data/mesh.dat}]
outputs: [pi.json, "logs/*.txt", {path: big.h5, to: "s3://bucket/results/", required: false}]
resources: {nodes: 1, tasks: 4, memory: 4G, walltime: 1h, queue: debug}
environment: {modules: [python/3.11], variables: {OMP_NUM_THREADS: 4}, container: "docker://python:3.12"}
priority: high
start_at: 2026-12-01T08:00Z
expires: 2d
"""
    found = spec(file, text)
    assert found.command == "python3 pi.py\n"
    assert found.resources.memory == 4 * 2**30
    assert found.environment.variables == {"OMP_NUM_THREADS": "4"}
    assert found.priority is Urgency.HIGH


def test_a_setting_counts_as_if_it_were_in_the_file(file: Path) -> None:
    found = spec(
        file,
        GOOD + "inputs: [a]\nresources: {nodes: 2}\n",
        "resources.walltime=2h",
        "inputs.0=b.py",
        "inputs.1={from: c.py, to: d.py}",
        "outputs=[x, y]",
        "command=echo a: b # c",
        "environment.variables.N=4",
        "resources.nodes=3",
    )
    assert found.resources.nodes == 3 and found.resources.walltime is not None
    assert [item.target for item in found.inputs] == ["b.py", "d.py"]
    assert found.command == "echo a: b # c"
    assert found.environment.variables == {"N": "4"}


def test_a_wrong_setting_is_told_like_a_wrong_line(file: Path) -> None:
    assert problems(file, GOOD, "resources.walltim=2h") == [
        "--set resources.walltim=2h: resources.walltim: is not known here; did you mean 'walltime'?"
    ]
    assert problems(file, GOOD, "resources.nodes=many") == [
        "--set resources.nodes=many: resources.nodes: must be a whole number"
    ]


@pytest.mark.parametrize("text", ["x", "=1", "a..b=1", "a=[1", "name.x=1", "inputs.1=a", "inputs.x=a", "a=!!str 1"])
def test_a_setting_that_leads_nowhere_is_told(file: Path, text: str) -> None:
    file.write_text(GOOD + "inputs: []\n")
    with pytest.raises(SpecError) as caught:
        read_spec(str(file), parse_settings([text]))
    assert "--set" in caught.value.problems[0]


@given(st.text(max_size=200))
def test_no_text_at_all_makes_the_reader_crash(text: str) -> None:
    try:
        read_yaml(text.encode("utf-8", "surrogatepass"))
    except NotYaml:
        return


@given(st.text(alphabet="[]{}&*!|>'\"%@`:,#-? \n\tab\\0x", max_size=60))
def test_no_punctuation_makes_the_reader_crash(text: str) -> None:
    try:
        read_yaml(text.encode())
    except NotYaml:
        return


@given(st.integers(-(10**20), 10**20))
def test_whole_numbers_are_whole_numbers(number: int) -> None:
    assert plain_value(str(number)) == number


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("resources: {walltime: 60}", ":3: resources.walltime: 60 of what? write 60m or 60s"),
        ("resources: {walltime: '90'}", ":3: resources.walltime: 90 of what? write 90m or 90s"),
        ("resources: {memory: 512}", ":3: resources.memory: 512 of what? write 512M or 512G"),
        ("expires: 5", ":3: expires: 5 of what? write 5h or 5d"),
    ],
)
def test_a_number_without_a_unit_is_nobodys_guess(file: Path, written: str, told: str) -> None:
    assert problems(file, GOOD + written) == [told]


def test_a_change_leaves_what_was_written_with_a_unit_alone(file: Path) -> None:
    before = spec(file, GOOD + "resources: {walltime: 1h, memory: 4G}\nexpires: 2d")
    after = changed_spec(before, parse_settings(["command=true && echo"]))
    assert (after.resources, after.expires) == (before.resources, before.expires)
