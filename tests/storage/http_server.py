"""A web server on loopback that says what a test wants, and remembers who asked for what."""

import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread


@dataclass
class Page:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    promised: int | None = None
    """The length told, when it is not the true one. -1: none is told."""
    head: int | None = None
    """The status of HEAD, when it is another."""
    ranges: bool = False
    """Answer a request for the bytes from N on, or for the first, with those."""
    cuts: list[int] = field(default_factory=list)
    """How many bytes each of the first GETs sends before the connection is cut."""
    gate: Event | None = None
    """After half of the bytes a GET waits for this."""


@dataclass
class Web:
    host: str
    port: int
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path, Host header."""
    puts: list[Page] = field(default_factory=list)
    """What is answered to each PUT."""
    told: list[dict[str, str]] = field(default_factory=list)
    """The headers of each PUT, in small letters."""
    ranges: list[str] = field(default_factory=list)
    """The Range header of each GET, empty without one."""

    def url(self, path: str, host: str | None = None, scheme: str = "http") -> str:
        return f"{scheme}://{host or self.host}:{self.port}{path}"


@contextmanager
def serving(host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Web]:
    web = Web(host, port)
    with ThreadingHTTPServer((host, port), _handler(lambda: web)) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        web.port = server.server_port
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()


def _handler(web: Callable[[], Web]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web().ranges.append(self.headers["range"] or "")  # before anything is answered: a test may look at once
            page = self._begin()
            start, end = self._range(page)
            body = page.body[start:end]
            half = len(body) // 2
            try:
                if page.cuts:
                    self.wfile.write(body[: page.cuts.pop(0)])
                    self.close_connection = True
                    return
                self.wfile.write(body[:half])
                if page.gate:
                    page.gate.wait()
                self.wfile.write(body[half:])
            except ConnectionError:
                return  # whoever asked has gone

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            web().asked.append((self.command, self.path, self.headers["host"]))
            web().told.append({name.lower(): value for name, value in self.headers.items()})
            page = web().puts.pop(0)
            self.send_response(page.status)
            self.send_header("ETag", '"1"')
            self.send_header("Content-Length", str(len(page.body)))
            self.end_headers()
            self.wfile.write(page.body)

        def do_HEAD(self) -> None:
            self._begin()

        def _begin(self) -> Page:
            web().asked.append((self.command, self.path, self.headers["host"]))
            page = web().pages.get(self.path.partition("?")[0], Page(status=404))
            start, end = self._range(page)
            part = (start, end) != (0, len(page.body))
            self.send_response((self.command == "HEAD" and page.head) or (206 if part else page.status))
            if part:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(page.body)}")
            for name, value in page.headers.items():
                self.send_header(name, value)
            if page.promised != -1:
                self.send_header("Content-Length", str(end - start if page.promised is None else page.promised))
            self.end_headers()
            return page

        def _range(self, page: Page) -> tuple[int, int]:
            """What is sent: from here to there."""
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["range"] or "")
            size = len(page.body)
            if not found or not page.ranges or int(found[1]) >= size:
                return 0, size
            return int(found[1]), min(int(found[2] or size) + 1, size)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Quiet."""

    return Handler
