"""Several questions in one script, as the shells of sites read it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from howdah.activities.schedulers import Question
from howdah.activities.schedulers.together import ENOUGH, LANES, MOST, Late, Together
from howdah.errors import SiteError

shells = pytest.mark.parametrize("shell", ["dash", "bash"])


def question(script: str, common: str = "", once: str = "") -> Question[str]:
    return Question(common + script, str.strip, common=common, once=once)


def answers(shell: str, together: Together[str]) -> list[str | Exception]:
    """In order of the questions."""
    done = subprocess.run([shell, "-s"], input=together.script.encode(), capture_output=True, check=True)
    return [answer for _, answer in sorted(together.take(done.stdout), key=lambda told: told[0])]


@shells
def test_each_has_its_own_answer_whatever_the_others_do_to_themselves(shell: str) -> None:
    asked = [
        question("echo one; exit 3"),
        question("cd /; pwd"),
        question("pwd"),
        question("mark=x; tell() { :; }; lane() { :; }; echo four"),
        question("kill -s KILL $(exec sh -c 'echo $PPID')"),
        question("cat; echo six >&2"),
        question("exec true"),
    ]
    assert answers(shell, Together(asked)) == ["one", "/", str(Path.cwd()), "four", "", "six", ""]


@shells
def test_what_is_the_same_for_all_is_sent_once_and_what_is_done_for_all_is_done_once(
    shell: str, tmp_path: Path
) -> None:
    common = "greet() { echo hello $1 after $ahead of $counted; }\n"
    once = f"echo x >>{tmp_path}/once; counted=many\n"
    together = Together([question(f"greet {number}", common, once) for number in range(MOST)])
    assert together.script.count("greet()") == 1
    assert answers(shell, together) == [f"hello {number} after {number} of many" for number in range(MOST)]
    assert (tmp_path / "once").read_text() == "x\n"


@shells
def test_no_words_of_a_program_are_another_ones_answer(shell: str, tmp_path: Path) -> None:
    """Not even of one that knows how answers look, and the number."""
    together = Together([question(f"cat {tmp_path}/forged"), question("echo good"), question("echo better")])
    mark = together.script.partition("\nmark=")[2].split("\n")[0].strip("'")
    forged = f"x\002\n{mark} b said evil\002\n\001{mark} c said evil\002\n"
    (tmp_path / "forged").write_text(forged)
    told = answers(shell, together)
    assert told[1:] == ["good", "better"]
    assert "evil" in str(told[0])


@shells
def test_a_flood_of_words_loses_its_middle(shell: str) -> None:
    first, second = answers(shell, Together([question("echo first; seq 100000; echo last"), question("echo short")]))
    assert str(first).startswith("first\n1\n") and str(first).endswith("\n100000\nlast") and len(str(first)) < 4000
    assert second == "short"


@shells
def test_so_many_at_a_time_and_whoever_hangs_keeps_nobody_but_himself(shell: str, tmp_path: Path) -> None:
    """The first goes on when all the others have been there."""
    meets = f"mkdir {tmp_path}/$$.$ahead; ls {tmp_path} | wc -l; rmdir {tmp_path}/$$.$ahead; touch {tmp_path}.$ahead"
    last = MOST - 1
    asked = [question(f"until [ -e {tmp_path}.{last} ]; do sleep 0.02; done; echo done")]
    asked += [question(meets) for _ in range(last)]
    first, *others = answers(shell, Together(asked))
    assert first == "done"
    assert max(int(str(number)) for number in others) <= LANES - 1


@shells
def test_what_was_not_begun_in_time_is_told_from_what_may_have_happened(shell: str, tmp_path: Path) -> None:
    """A clock that jumps stands for time that goes by."""
    clock = f"date() {{ [ -e {tmp_path}/later ] && echo {ENOUGH + 100} || echo 100; }}\n"
    asked = [question(f"touch {tmp_path}/later; echo one", clock), question(f"touch {tmp_path}/begun", clock)]
    together = Together(asked, lanes=1)
    one, other = answers(shell, together)
    assert one == "one" and isinstance(other, Late)
    assert not (tmp_path / "begun").exists()


def test_answers_are_there_as_soon_as_they_are_whole() -> None:
    together = Together([question("echo first"), question("echo second")])
    done = subprocess.run(["sh", "-s"], input=together.script.encode(), capture_output=True, check=True)
    told = [found for at in range(len(done.stdout)) for found in together.take(done.stdout[at : at + 1])]
    assert sorted(told) == [(0, "first"), (1, "second")]


def test_one_that_cannot_be_read_is_its_own_failure() -> None:
    def refuse(raised: Exception) -> Callable[[str], str]:
        def read(out: str) -> str:
            raise raised

        return read

    asked = [Question("true", refuse(SiteError("no"))), Question("true", refuse(ValueError("a bug"))), question("true")]
    told = answers("sh", Together(asked))
    assert [type(answer) for answer in told] == [SiteError, ValueError, str]


def test_what_begins_otherwise_does_not_go_together() -> None:
    with pytest.raises(ValueError, match="same beginning"):
        Together([question("true", "a() { :; }\n"), question("true")])
