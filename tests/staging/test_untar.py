"""Small files out of a tar stream. Pure."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howdah.activities.staging import tar
from howdah.activities.staging.untar import Untar
from howdah.errors import OutcomeUnknown

byte_names = st.binary(min_size=1, max_size=300).filter(lambda name: not {0, ord("/")} & set(name))
MOST = 10_000


def fed(stream: bytes, size: int, most: int = MOST) -> tuple[list[tuple[str, bytes]], Untar]:
    """What came out, and the reader, of a stream that arrived in chunks of `size` bytes."""
    untar = Untar(most)
    found = []
    for at in range(0, len(stream), size):
        found += untar.feed(stream[at : at + size])
    return found, untar


@given(st.dictionaries(byte_names.map(os.fsdecode), st.binary(max_size=2000), max_size=5), st.integers(1, 3000))
def test_streams_are_read_as_they_were_written(files: dict[str, bytes], size: int) -> None:
    stream = b"".join(tar.member(name, data) for name, data in files.items()) + tar.END + b"words"
    found, untar = fed(stream, size)
    assert found == list(files.items())
    assert (untar.ended, untar.rest) == (True, b"words")


@given(st.dictionaries(byte_names.map(os.fsdecode), st.binary(max_size=600), min_size=1, max_size=3), st.data())
def test_a_stream_cut_anywhere_has_not_ended(files: dict[str, bytes], data: st.DataObject) -> None:
    stream = b"".join(tar.member(name, content) for name, content in files.items()) + tar.END
    cut = data.draw(st.integers(0, len(stream) - len(tar.END)))
    found, untar = fed(stream[:cut], 512)
    assert not untar.ended
    assert found == list(files.items())[: len(found)]


def test_a_file_that_has_grown_too_large_is_passed_over() -> None:
    stream = tar.member("a", b"1") + tar.member("n" * 200, b"x" * 5000) + tar.member("b", b"2") + tar.END
    for size in (100, 512, 100_000):
        found, untar = fed(stream, size, most=4999)
        assert found == [("a", b"1"), ("b", b"2")]
        assert untar.ended


@pytest.mark.parametrize(
    "stream",
    [b"hello" * 200, tar.link("l", "target"), tar.folder("f"), b"\0" + b"x" * 600],
    ids=["words", "a link", "a folder", "a block of nothing"],
)
def test_what_is_no_stream_of_plain_files_is_noticed(stream: bytes) -> None:
    with pytest.raises(OutcomeUnknown):
        fed(stream, 512)


@given(st.binary(min_size=512, max_size=2000), st.integers(1, 600))
def test_any_bytes_are_read_or_refused(stream: bytes, size: int) -> None:
    try:
        found, _ = fed(stream, size)
    except OutcomeUnknown:
        return
    assert found == []


def test_what_gnu_tar_writes_is_read(tmp_path: Path) -> None:
    names = [b"a", b"caf\xe9\n", b"n" * 100, b"n" * 101, b"d/" + b"m" * 250, b"-rf"]
    (tmp_path / "d").mkdir()
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(name * 7)
    data = b"".join(b"./" + name + b"\0" for name in names)
    command = ["tar", "-c", "-b", "128", "--format=gnu", "--no-unquote", "--null", "-T", "-", "-f", "-"]
    stream = subprocess.run(command, input=data, cwd=tmp_path, capture_output=True, check=True).stdout
    found, untar = fed(stream + b"sums\n", 700)
    assert [(os.fsencode(name), content) for name, content in found] == [(b"./" + name, name * 7) for name in names]
    assert untar.rest == b"sums\n"
