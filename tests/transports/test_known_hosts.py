"""Editing files of known hosts: one host's lines, and nothing else."""

from pathlib import Path

import asyncssh

from howdah.activities.transports.known_hosts import KnownHosts, append, files_of, known_name, replace


def _key() -> str:
    return " ".join(asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()[:2])


def test_replacing_takes_one_name_off_its_lines_and_leaves_all_else(tmp_path: Path) -> None:
    old, new, file = _key(), _key(), tmp_path / "known_hosts"
    file.write_text(
        f"# comment\n\n[login]:2222,10.0.0.1 {old} note\nlogin {old}\n@cert-authority *.site {old}\n*.site {old}\n"
        "broken line\n"
    )
    file.chmod(0o644)
    replace(file, "[login]:2222", new)
    assert file.read_text() == (
        f"# comment\n\n10.0.0.1 {old} note\nlogin {old}\n@cert-authority *.site {old}\n*.site {old}\n"
        f"broken line\n[login]:2222 {new}\n"
    )
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [file]


def test_hashed_names_are_found_and_written(tmp_path: Path) -> None:
    old, new, other, file = _key(), _key(), _key(), tmp_path / "known_hosts"
    file.write_text("|1|AAAA|AAAA ssh-ed25519 unreadable\n")
    append(file, "login", old)
    append(file, "other", other)
    assert "login" not in file.read_text()
    replace(file, "login", new)
    known = KnownHosts.read([file])
    assert [key.export_public_key().decode().split()[1] for key in known.keys("login")] == [new.split()[1]]
    assert len(known.keys("other")) == 1
    assert file.read_text().startswith("|1|AAAA|AAAA ssh-ed25519 unreadable\n")


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "known_hosts"
    real.write_text("")
    link.symlink_to(real)
    replace(link, "login", _key())
    assert link.is_symlink()
    assert real.read_text().startswith("login ")


def test_a_file_that_is_not_there_is_made_private(tmp_path: Path) -> None:
    file = tmp_path / "ssh" / "known_hosts"
    append(file, "login", _key())
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_last_line_without_an_end_is_not_run_into(tmp_path: Path) -> None:
    first, second, file = _key(), _key(), tmp_path / "known_hosts"
    file.write_text(f"one {first}")
    append(file, "two", second)
    known = KnownHosts.read([file])
    assert (len(known.keys("one")), len(known.keys("two"))) == (1, 1)


def test_a_line_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"garbage\n@nonsense x y z\n|1|bad login ssh-rsa AAAA\nlogin {_key()}\n")
    assert len(KnownHosts.read([tmp_path / "missing", file]).keys("login")) == 1


def test_a_key_known_for_an_address_proves_nothing_about_a_name(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"10.0.0.1 {_key()}\n")
    known = KnownHosts.read([file])
    assert not any(known.trusted("login", "10.0.0.1", None))
    assert any(known.trusted("10.0.0.1", "10.0.0.1", None))


def test_names_are_spelled_as_openssh_does() -> None:
    assert known_name("Login.Site", 22, None) == "login.site"
    assert known_name("login", 2222, None) == "[login]:2222"
    assert known_name("login", 2222, "Alias") == "Alias"


def test_the_default_files_are_those_of_openssh() -> None:
    user, system = files_of(None, [])
    assert user[0] == Path.home() / ".ssh" / "known_hosts"
    assert system == []
