"""What a folder was at the start: its canonical list."""

import os
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from howdah.activities.staging.depot import from_json, to_json
from howdah.activities.staging.manifest import Entry
from howdah.activities.staging.recorded import digest, of_folder

_names = st.binary(min_size=1, max_size=12).filter(lambda name: not set(name) & set(b"\0/")).map(os.fsdecode)
_parts = _names.filter(lambda name: name not in (".", ".."))
_paths = st.lists(_parts, min_size=1, max_size=3).map("/".join)
_sums = st.sampled_from([f"{number:064x}" for number in range(3)])
_files = st.builds(Entry, _paths, st.integers(0, 3), _sums, st.sampled_from([0o644, 0o755, 0o600]))
_links = st.builds(Entry, _paths, link=_parts)
_folders = st.builds(Entry, _paths, folder=st.just(True))
_entries = st.lists(st.one_of(_files, _links, _folders), max_size=6, unique_by=lambda entry: entry.path)


@given(_entries, st.randoms())
def test_the_order_in_which_files_are_found_makes_no_difference(entries: list[Entry], random: object) -> None:
    shuffled = sorted(entries, key=lambda entry: hash((entry.path, id(random))))
    assert digest(shuffled) == digest(entries)


@given(_entries, _entries)
def test_only_equal_folders_have_equal_lists(one: list[Entry], other: list[Entry]) -> None:
    def kind(entry: Entry) -> tuple[object, ...]:
        return entry.path, entry.size, entry.sha256, entry.mode | 0o400, entry.link, entry.folder

    same = {kind(entry) for entry in one} == {kind(entry) for entry in other}
    assert (digest(one) == digest(other)) == same


@given(_entries.filter(bool), st.data())
def test_any_change_of_any_entry_changes_the_list(entries: list[Entry], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(entries) - 1))
    entry = entries[at]
    is_file = entry.link is None and not entry.folder
    changes = [replace(entry, path=entry.path + "x")]
    if is_file:
        changes += [replace(entry, size=9), replace(entry, sha256="f" * 64), replace(entry, mode=0o640)]
        changes += [Entry(entry.path, folder=True), Entry(entry.path, link="x")]
    changed = [*entries[:at], data.draw(st.sampled_from(changes)), *entries[at + 1 :]]
    assert digest(changed) != digest(entries)
    assert digest([*entries, Entry("a/new/one", 1, "0" * 64)]) != digest(entries)


@given(_entries)
def test_a_list_in_the_depot_comes_back_as_it_was_with_names_of_any_bytes(entries: list[Entry]) -> None:
    links = {entry.path: entry for entry in entries}
    assert from_json(to_json(entries), of_folder(0, entries)) == sorted(links.values(), key=lambda entry: entry.path)


def test_a_file_that_its_owner_cannot_read_is_the_same_with_that_bit() -> None:
    """At the site its owner can, or nobody could verify it."""
    assert digest([Entry("a", 1, "0" * 64, 0o044)]) == digest([Entry("a", 1, "0" * 64, 0o444)])
