"""A program, not a module: what the local rsync starts in the place of ssh.

It hands its standard input and output over to the worker, with the words it was given, and ends with the code that
it is told. The worker's end of the socket `argv[1]` was left open for us on purpose; nobody else can get at it.
Only the standard library is imported, for it has to start quickly.
"""

import os
import socket
import sys

LOST = 255
"""What ssh ends with when the connection is lost."""


def main() -> int:
    worker = socket.socket(fileno=int(sys.argv[1]))
    words = os.fsencode("\0".join(sys.argv[2:])) + b"\n"
    socket.send_fds(worker, [words], [0, 1])
    for end in (0, 1):  # or rsync would never hear that the other side has closed them
        os.close(end)
    code = worker.recv(1)
    return code[0] if code else LOST


if __name__ == "__main__":
    sys.exit(main())
