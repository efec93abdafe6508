"""A web server on loopback that says what a test wants, and remembers who asked for what."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Page:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    promised: int | None = None
    """The length told, when it is not the true one. -1: none is told."""
    head: int | None = None
    """The status of HEAD, when it is another."""


@dataclass
class Web:
    host: str
    port: int
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path, Host header."""

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
            page = self._begin()
            self.wfile.write(page.body)

        def do_HEAD(self) -> None:
            self._begin()

        def _begin(self) -> Page:
            web().asked.append((self.command, self.path, self.headers["host"]))
            page = web().pages.get(self.path.partition("?")[0], Page(status=404))
            self.send_response((self.command == "HEAD" and page.head) or page.status)
            for name, value in page.headers.items():
                self.send_header(name, value)
            if page.promised != -1:
                self.send_header("Content-Length", str(len(page.body) if page.promised is None else page.promised))
            self.end_headers()
            return page

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Quiet."""

    return Handler
