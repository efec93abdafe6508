"""What a job prints cannot take over the terminal it is shown on."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from howdah.cli.views.taming import Taming

HOSTILE = "a\x1b]0;title\x07b\x1b[2Jc\x1b[1;1Hd\x1bcè\x1b]8;;http://x\x1b\\f\x1bP+q\x1b\\g\x1b(0h\x1b[?1049hi\x07\x9bj"


def test_colours_stay_and_end_with_what_they_are_for() -> None:
    taming = Taming(colours=True)
    assert taming.tame("\x1b[1;31mred") == "\x1b[1;31mred\x1b[0m"
    assert taming.tame(" still\x1b[m off") == "\x1b[1;31m still\x1b[m off"


def test_without_colours_none_are_shown() -> None:
    assert Taming(colours=False).tame("\x1b[31mred\x1b[0m") == "red"


def test_all_other_escapes_are_left_out_and_the_text_stays() -> None:
    assert Taming(colours=True).tame(HOSTILE) == "abcdèfghi␇\ufffdj"


def test_a_bare_return_becomes_a_line_and_one_before_a_newline_nothing() -> None:
    taming = Taming(colours=True)
    assert taming.tame("10%\r20%\r") + taming.tame("\ndone\n") == "10%\n20%\ndone\n"


def test_an_escape_that_never_ends_is_shown_in_the_end() -> None:
    taming = Taming(colours=True)
    shown = "".join(taming.tame(text) for text in ["\x1b]", *["x" * 100] * 10])
    assert shown.startswith("␛]xxx") and len(shown) >= 900


@given(st.lists(st.integers(min_value=0, max_value=len(HOSTILE)), max_size=6))
def test_it_does_not_matter_where_a_text_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(HOSTILE)]
    taming = Taming(colours=True)
    shown = "".join(taming.tame(HOSTILE[start:end]) for start, end in pairwise(edges))
    assert shown == Taming(colours=True).tame(HOSTILE)


@given(st.lists(st.text(st.sampled_from("a\x1b[]0;mJ\x07\\P?\r\n\x9b"), max_size=30), max_size=5))
def test_nothing_but_colours_gets_through(texts: list[str]) -> None:
    taming = Taming(colours=False)
    shown = "".join(taming.tame(text) for text in texts)
    assert not set(shown) & set("\x1b\x07\x9b\r")
