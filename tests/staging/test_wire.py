"""What travels: packs, tar streams, sums and names. Pure."""

import io
import os
import subprocess
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howdah.activities.staging import Sizes, tar
from howdah.activities.staging.packs import packed
from howdah.activities.staging.refusals import free_bytes
from howdah.activities.staging.sums import parse_sums
from howdah.activities.staging.telling import Telling
from howdah.models.printable import printable, unprintable
from howdah.models.progress import Live

byte_names = st.binary(min_size=1, max_size=300).filter(lambda name: not {0, ord("/")} & set(name))


@given(st.lists(st.integers(0, 50)))
def test_packs_keep_order_and_limits(lengths: list[int]) -> None:
    packs = packed(lengths, int, Sizes(pack_bytes=40, pack_files=3))
    assert [length for pack in packs for length in pack] == lengths
    assert all(0 < len(pack) <= 3 for pack in packs)
    assert all(sum(pack) <= 40 or len(pack) == 1 for pack in packs)


@given(st.one_of(st.binary().map(os.fsdecode), st.text(st.characters(codec="utf-8")), st.just("a\\x41\\\\")))
def test_any_name_can_be_shown_and_is_found_again(name: str) -> None:
    shown = printable(name)
    assert shown.isprintable()
    shown.encode()
    assert os.fsencode(unprintable(shown)) == os.fsencode(name)


def test_an_ordinary_name_is_shown_as_it_is() -> None:
    assert printable("Ωmega file-1.txt") == "Ωmega file-1.txt"
    assert printable(os.fsdecode(b"caf\xe9\n\\")) == r"caf\xe9\x0a\\"


def test_tar_streams_are_what_tarfile_reads() -> None:
    stream = tar.member("n" * 300, b"x", 0o755) + tar.link("l", "t" * 200) + tar.folder("f") + tar.END
    with tarfile.open(fileobj=io.BytesIO(stream)) as archive:
        kinds = [(member.name, member.isfile(), member.issym(), member.isdir()) for member in archive]
    assert kinds == [("n" * 300, True, False, False), ("l", False, True, False), ("f", False, False, True)]


@given(st.sets(byte_names.filter(lambda name: len(name) < 250 and name not in (b".", b"..")), max_size=5))
def test_sums_are_read_as_sha256sum_prints_them(tmp_path_factory: pytest.TempPathFactory, names: set[bytes]) -> None:
    folder = tmp_path_factory.mktemp("sums")
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(name)
    if names:
        paths = [b"./" + name for name in names]
        out = subprocess.run(["sha256sum", *paths], cwd=folder, capture_output=True, check=True).stdout
        found = parse_sums(os.fsdecode(out))
        assert {os.fsencode(name) for name in found} == set(paths)


@pytest.mark.parametrize(
    ("df", "free"),
    [
        ("/dev/sda1  1000 400 600 40% /", 600 * 1024),
        ("//server/a b  1000 1400 -400 140% /mnt/a b", 0),
        ("none - - - - /mnt", None),
        ("", None),
    ],
)
def test_the_room_is_what_df_says(df: str, free: int | None) -> None:
    assert free_bytes(df + "\n") == free


def test_progress_is_told_a_few_times_a_second() -> None:
    now = [0.0]
    told: list[Live] = []
    telling = Telling(told.append, "x", files=100, size=100, clock=lambda: now[0])
    for _ in range(100):
        now[0] += 0.01
        telling.moved(1)
    assert 3 <= len(told) <= 4
    telling.now()
    assert told[-1].bytes_done == 100
