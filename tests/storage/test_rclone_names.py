"""Places and names as rclone spells them."""

import pytest

from howdah.activities.storage.rclone_names import Place, meant, spelled
from howdah.errors import DataError


@pytest.mark.parametrize(
    "address",
    [
        "rclone://:sftp,host=example.org:/etc/passwd",
        "rclone://:local:/etc/passwd",
        "rclone://store,type=local:/etc",
        "rclone://-store/a",
        "rclone:///etc/passwd",
        "rclone://store/../other",
        "rclone://store/a/./b",
        "rclone://store/a//b",
        "rclone://store/a\nb",
        "rclone://me@store/a",
    ],
)
def test_only_a_plain_path_at_a_named_remote_is_an_address(address: str) -> None:
    with pytest.raises(DataError):
        Place.of(address)


def test_a_path_is_taken_as_it_is_written() -> None:
    assert Place.of("rclone://store/My Data/50%20*?#.csv/").word == "store:My Data/50%20*?#.csv"
    assert Place.of("rclone://store").inner("a/b").word == "store:a/b"
    assert Place.of("rclone://store/a/b").beside("c") == Place("store", "a/c")
    assert Place.of("rclone://store/a").beside("c") == Place("store", "c")


@pytest.mark.parametrize("name", ["a/b c", "tab\there", "\x7f", "‛", "␊", "‛␊‛", "*?:\\\"'", "．a", "a．", "-x", "／"])
def test_a_name_that_was_spelled_is_read_again(name: str) -> None:
    assert meant(spelled(name)) == name


@pytest.mark.parametrize("name", ["a/../b", "/a", "a//b", "\udcff", "x\ufffd", "．", "．．", "‛／"])
def test_a_name_without_a_spelling_is_refused(name: str) -> None:
    with pytest.raises(DataError):
        spelled(name)
