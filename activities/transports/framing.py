"""The frame round what we say to a shell and what it answers.

Start-up files of login shells print, read and exit as they please. So each call has a nonce: the site prints it
before and after the script's own output. What comes before is noise, and an answer without the frame is none.
"""

import base64
import secrets
import shlex
from dataclasses import dataclass
from typing import Self

FROM_STDIN = "exec /bin/sh -s"
"""Parsed alike by sh, bash, dash, csh, tcsh, zsh and fish. `exec` leaves nobody behind to print on logout."""

LONGEST_COMMAND = 64 * 1024
"""Linux allows 128 KiB in one argument; beyond 256 KiB sshd drops the whole connection."""
LOUDEST = 1024 * 1024
"""So many bytes of noise are read in the hope of the frame."""


@dataclass(frozen=True)
class Frame:
    """`open_ended`: there is no mark behind the script's output, so that none of it is held back for being part of
    one. Two programs that take turns need that; whether all of it came they have to find out by themselves."""

    nonce: str
    open_ended: bool = False

    @classmethod
    def fresh(cls, *, open_ended: bool = False) -> Self:
        return cls(secrets.token_hex(16), open_ended)

    @property
    def key(self) -> bytes:
        """The first line of a command's input. One that does not see it does nothing: a start-up file took it."""
        return f"{self.nonce}\n".encode()

    def script(self, script: str, prelude: str = "") -> bytes:
        """What goes to the standard input of `FROM_STDIN`. The first line is left for greedy start-up files."""
        return b"\n" + _bytes(self._framed(script, prelude, source=" </dev/null"))

    def command(self, script: str, prelude: str = "") -> str:
        """A command whose standard input, after the `key`, is the script's own.

        Raises: ValueError when it is too long for a command line.
        """
        check = f'IFS= read -r howdah_key && [ "$howdah_key" = {self.nonce} ] || exit 97\n'
        text = base64.b64encode(_bytes(check + self._framed(script, prelude))).decode()
        command = f"exec /bin/sh -c 'eval \"$(printf %s {text} | base64 -d)\"'"
        if len(command) > LONGEST_COMMAND:
            raise ValueError(f"a script of {len(script)} characters is too long for a command line; send it as data")
        return command

    def _framed(self, script: str, prelude: str, source: str = "") -> str:
        """A subshell is parsed as a whole before any of it runs, and its `exit` cannot skip our last line."""
        begin = f"printf '\\n%s %s\\n' '{self.nonce} begin' \"$$ $SSH_CONNECTION\""
        end = "" if self.open_ended else f"printf '\\n%s %s\\n' '{self.nonce} end' \"$?\"\n"
        return (
            "umask 077; LC_ALL=C; export LC_ALL\n"
            f"(\n{{ :\n{prelude}\n}} </dev/null\n{begin}; {begin} >&2\n{script}\n){source}\n{end}"
        )

    def reader(self) -> "FrameReader":
        return FrameReader(self.nonce, open_ended=self.open_ended)

    def errors(self, stderr: bytes) -> str:
        """Standard error without what start-up files said there."""
        _, found, after = stderr.partition(f"\n{self.nonce} begin ".encode())
        return text(after.partition(b"\n")[2] if found else stderr)


class FrameReader:
    """Takes a stream apart: noise, the body, the exit code. `code` is None until the frame has ended."""

    def __init__(self, nonce: str, *, open_ended: bool = False) -> None:
        self._open_ended = open_ended
        self._begin = f"\n{nonce} begin ".encode()
        self._end = f"\n{nonce} end ".encode()
        self._held = bytearray()
        """What came before the frame began; later only what may become the end mark."""
        self.begun = False
        self.noise = b""
        self.runs_as: tuple[str, str] | None = None
        """The process group of the script, and the SSH connection it runs in (empty on this machine)."""
        self.code: int | None = None

    @property
    def too_loud(self) -> bool:
        return not self.begun and len(self._held) > LOUDEST

    def feed(self, data: bytes) -> bytes:
        """The part of the body that is certain by now."""
        if self.code is not None:
            return b""
        if not self.begun:
            self._held += data
            if not self._skip_noise():
                return b""
            data = b""
        if self._held:
            data = bytes(self._held) + data
            self._held.clear()
        return self._body(data)

    def ended(self, code: int) -> None:
        """The command has ended with `code`: without a mark behind it, that is the script's own."""
        if self._open_ended and self.begun:
            self.code = code

    def _skip_noise(self) -> bool:
        at = self._held.find(self._begin)
        stop = self._held.find(b"\n", at + 1) if at >= 0 else -1
        self.begun = stop >= 0
        self.noise = bytes(self._held[:at] if self.begun else self._held[:LOUDEST].partition(self._end)[0])
        if self.begun:
            group, _, connection = text(bytes(self._held[at + len(self._begin) : stop])).partition(" ")
            self.runs_as = group, connection
            del self._held[: stop + 1]
        return self.begun

    def _body(self, data: bytes) -> bytes:
        """Hold back what may become the end mark. Most data are passed on as they came: copies cost time."""
        if self._open_ended:
            return data
        at = data.find(self._end)
        if at >= 0:
            code, newline, _ = data[at + len(self._end) :].partition(b"\n")
            if newline:
                self.code = int(code)
        else:
            at = self._beginning_of_end(data)
        self._held += data[at:]
        return data if at == len(data) else data[:at]

    def _beginning_of_end(self, data: bytes) -> int:
        """Where the end mark may have begun; the length of the data when it has not."""
        at = data.find(b"\n", max(0, len(data) - len(self._end) + 1))
        while at >= 0 and not self._end.startswith(data[at:]):
            at = data.find(b"\n", at + 1)
        return at if at >= 0 else len(data)


def kill(group: str, connection: str) -> str:
    """A script that ends a process group. The connection tells whether we are on the same machine as it was:
    behind one name there may be several login nodes."""
    return f'[ "$SSH_CONNECTION" = {shlex.quote(connection)} ] && kill -s TERM -- -{int(group)}'


def text(data: bytes) -> str:
    """Names of files may be any bytes: surrogates keep what is not UTF-8."""
    return data.decode("utf-8", "surrogateescape")


def _bytes(script: str) -> bytes:
    return script.encode("utf-8", "surrogateescape")
