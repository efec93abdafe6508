"""The frame, without any shell: whatever way a stream is cut into pieces, it means the same."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howdah.activities.transports.framing import LOUDEST, Frame, FrameReader

FRAME = Frame("0123456789abcdef")
BEGIN, END = b"\n0123456789abcdef begin 12 1.2.3.4 5\n", b"\n0123456789abcdef end 7\n"
BODIES = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([b"\n", b"0123456789abcdef", b" end ", b" begin\n", b"7\n", b"x"])).map(b"".join),
).filter(lambda body: b"0123456789abcdef end " not in body)


def _read(pieces: list[bytes]) -> tuple[bytes, FrameReader]:
    reader = FRAME.reader()
    return b"".join(reader.feed(piece) for piece in pieces), reader


def _cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:stop] for start, stop in pairwise(edges)]


@given(st.binary(max_size=50), BODIES, st.binary(max_size=50), st.lists(st.integers(0, 10_000), max_size=20))
def test_a_frame_is_found_however_its_stream_is_cut(noise: bytes, body: bytes, after: bytes, places: list[int]) -> None:
    heard, reader = _read(_cut(noise + BEGIN + body + END + after, places))
    assert (heard, reader.code, reader.noise) == (body, 7, noise)
    assert reader.runs_as == ("12", "1.2.3.4 5")


@given(BODIES, st.integers(0, len(END) - 1))
def test_a_stream_that_breaks_before_its_end_has_no_exit_code(body: bytes, kept: int) -> None:
    _, reader = _read([BEGIN + body + END[:kept]])
    assert reader.begun
    assert reader.code is None


def test_an_echo_of_our_own_script_is_not_an_answer() -> None:
    _, reader = _read([FRAME.script("echo hello")])
    assert not reader.begun


def test_an_end_without_a_begin_is_noise_and_not_an_answer() -> None:
    heard, reader = _read([b"bye", END])
    assert (heard, reader.begun, reader.code, reader.noise) == (b"", False, None, b"bye")


def test_endless_noise_is_noticed() -> None:
    _, reader = _read([b"x" * LOUDEST])
    assert not reader.too_loud
    reader.feed(b"x")
    assert reader.too_loud


def test_start_up_files_are_cut_off_from_standard_error() -> None:
    assert FRAME.errors(b"bashrc: no such file\n" + BEGIN + b"mine\n") == "mine\n"
    assert FRAME.errors(b"no shell at all\n") == "no shell at all\n"


def test_a_script_too_long_for_a_command_line_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        FRAME.command("x" * 60_000)
