"""Secrets are put wherever there may be some, experiments run, and every byte that is kept is searched for them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.client import Client

from howdah.testing.cluster import Done
from howdah.testing.environment import without_settings
from howdah.workers.security.keys import add_key, new_key, read_keys

MARK = "CANARY"


@dataclass
class Mine:
    """A user's own machine: a home folder with secrets in it, variables that hold some, and a fleet of their own."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def keys(self) -> Path:
        return self.folder / "config" / "howdah" / "keys.toml"

    def plant(self) -> None:
        ssh = self.folder / ".ssh"
        ssh.mkdir(mode=0o700)
        (ssh / "id_ed25519").write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{MARK}-ssh\n")

    def environment(self) -> dict[str, str]:
        kept = without_settings()
        return kept | {
            "HOME": str(self.folder),
            "HOWDAH_STATE": str(self.state),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "AWS_ACCESS_KEY_ID": f"{MARK}-id",
            "AWS_SECRET_ACCESS_KEY": f"{MARK}-store",
            "SOME_TOKEN": f"{MARK}-variable",
        }

    def howdah(self, *words: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "howdah", *words],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, name: str, *words: str, code: int = 0, **spec: Any) -> None:
        file = self.folder / f"{name}.yaml"
        file.write_text(json.dumps({"name": name, "site": "local", **spec}))
        done = self.howdah("start", str(file), "--id", name, *words)
        assert done.code == code, done

    @property
    def secrets(self) -> list[bytes]:
        """Those that nobody wrote into an experiment."""
        found = [b"CANARY-ssh", b"CANARY-id", b"CANARY-store", b"CANARY-variable"]
        found.append(json.loads((self.state / "signing.key").read_text())["secret"].encode())
        found += [bytes.fromhex(found[-1].decode())]
        return found + [key.secret for key in read_keys(self.keys)] if self.keys.exists() else found

    def written(self) -> bytes:
        """The server's database with what is not yet merged into it, and the logs of everybody."""
        files = [*self.state.glob("howdah.db*"), *(self.state / "logs").iterdir()]
        return b"\n".join(path.read_bytes() for path in files)

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in (self.state / "logs").iterdir())

    async def told(self) -> bytes:
        """Whatever the server tells those who ask it, unopened."""
        address = json.loads((self.state / "server.json").read_text())["ports"]["frontend"]
        client = await Client.connect(f"127.0.0.1:{address}")
        listed = await client.workflow_service.list_workflow_executions(
            ListWorkflowExecutionsRequest(namespace=client.namespace)
        )
        seen = [listed.SerializeToString()]
        for info in listed.executions:
            handle = client.get_workflow_handle(info.execution.workflow_id, run_id=info.execution.run_id)
            seen += [event.SerializeToString() async for event in handle.fetch_history_events()]
            seen.append((await handle.describe()).raw_description.SerializeToString())
        return b"\n".join(seen)


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[Mine]:
    mine = Mine(tmp_path)
    mine.plant()
    yield mine
    assert mine.howdah("down").code == 0


@pytest.mark.slow
async def test_no_secret_is_found_in_what_is_kept(mine: Mine) -> None:
    """Without a key what the user wrote is legible, and nothing else. With one that is not, either."""
    mine.start("plain", "--watch", command="echo fine")
    for kept in (await mine.told(), mine.written()):
        assert b"echo fine" in kept or b"plain" in kept  # it is the right place to look at
        assert [secret for secret in mine.secrets if secret in kept] == []

    assert mine.howdah("down").code == 0
    add_key(mine.keys, new_key())
    words: dict[str, Any] = {
        "command": f"echo {MARK}-command",
        "environment": {"variables": {"PASSWORD": f"{MARK}-environment"}},
    }
    mine.start("failing", "--watch", code=1, **words, outputs=["never-made"])
    words["command"] = f"sleep 60; echo {MARK}-command"
    mine.start("cancelled", **words)
    assert mine.howdah("cancel", "cancelled").code == 0

    users = [f"{MARK}-command".encode(), f"{MARK}-environment".encode()]
    for kept in (await mine.told(), mine.written()):
        assert b"failing" in kept
        assert [secret for secret in [*mine.secrets, *users] if secret in kept] == []
    assert b"Traceback" not in await mine.told()
    shown = mine.howdah("show", "failing", "--json")
    assert json.loads(shown.out)["name"] == "failing"  # who has the key reads on
    assert [secret for secret in mine.secrets if secret in shown.out.encode()] == []


def test_a_password_in_an_address_is_refused_and_not_repeated(mine: Mine) -> None:
    file = mine.folder / "experiment.yaml"
    url = f"https://me:{MARK}-password@data.example.org/one"
    file.write_text(json.dumps({"name": "one", "site": "local", "command": "true", "inputs": [{"source": url}]}))
    done = mine.howdah("start", str(file))
    assert done.code == 2
    assert f"{MARK}-password" not in done.out + done.err
