"""What cannot be reached is told as such, and nothing is sent to strangers."""

from pathlib import Path

import asyncssh

from howdah.testing.cluster import PrivateCluster
from howdah.workers.embedded.ports import free_port
from tests.conftest import skip_without_cluster
from tests.end_to_end.conftest import Lab


def test_a_server_that_does_not_answer_is_exit_code_3_with_a_hint(lab: Lab) -> None:
    path = str(lab.write("true"))
    done = lab.howdah("start", path, "--site", "vm", TEMPORAL_ADDRESS=f"127.0.0.1:{free_port()}")
    assert done.code == 3
    assert "hint:" in done.err
    assert lab.began() == 0


def test_a_changed_host_key_puts_the_site_out_of_order_and_all_goes_on_by_itself_once_it_is_trusted(
    tmp_path: Path,
) -> None:
    skip_without_cluster()
    with PrivateCluster(tmp_path / "cluster") as cluster:
        lab = Lab(cluster, tmp_path)
        cluster.sshd.change_host_key()
        asked = cluster.sshd.authentications
        shown = lab.run("true", code=4)
        assert (shown["state"], shown["waiting"]) == ("preparing", None), "it is the site that waits, not the job"
        assert "howdah site trust" in shown["live"]["needs"]
        (trouble,) = lab.howdah("site", "show", "cluster", "--json").json["state"]["troubles"]
        assert (trouble["part"], trouble["cause"]) == ("login", "host_key")
        assert trouble["message"].count("SHA256:") == 2
        listed = lab.howdah("list")
        assert "site cluster: login refused since" in listed.err and "1 experiment waits for it" in listed.err
        assert cluster.sshd.authentications == asked, "nothing may be sent to a stranger"
        key = asyncssh.read_private_key(str(cluster.sshd.folder / "host_key")).get_fingerprint()
        trust = ("site", "trust", "cluster", "--replace", "--fingerprint")
        assert lab.howdah(*trust, "SHA256:another").code != 0
        trusted = lab.howdah(*trust, key)
        assert trusted.code == 0
        assert "works again" in trusted.err
        assert lab.howdah("watch", shown["id"]).code == 0
        assert lab.began() == 1
        assert len(lab.show(shown["id"])["attempts"]) == 1
