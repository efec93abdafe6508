"""Ports are ours only if our process listens there."""

import os
import socket

from howdah.workers.embedded.ports import free_port, is_free, listens


def listener(address: str = "127.0.0.1") -> socket.socket:
    """As servers are: one that says so can listen again at once after it was killed."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, 0))
    server.listen()
    return server


def test_a_port_where_somebody_listens_is_not_free_on_any_address() -> None:
    for address in ("127.0.0.1", "0.0.0.0"):
        with listener(address) as server:
            assert not is_free(server.getsockname()[1])


def test_a_port_with_remains_of_closed_connections_is_free() -> None:
    with listener() as server:
        port: int = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            accepted.close()
    assert is_free(port)


def test_the_wanted_port_is_taken_if_it_is_free() -> None:
    wanted = free_port()
    assert free_port(wanted=wanted) == wanted
    assert free_port(wanted=wanted, other_than=wanted) != wanted
    with listener() as server:
        taken = server.getsockname()[1]
        assert free_port(wanted=taken) != taken


def test_who_listens_is_known() -> None:
    with listener() as server:
        port = server.getsockname()[1]
        assert listens(os.getpid(), port)
        assert not listens(os.getppid(), port)
    assert not listens(os.getpid(), port)
