"""Small files out of a tar stream, as it comes. Pure.

One chunk holds many of them, so each costs little more than its header.
"""

import os
import tarfile
from collections.abc import Iterator

from howdah.errors import OutcomeUnknown

_BLOCK = tarfile.BLOCKSIZE
_LONGEST_NAME = 64 * 1024
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)


class Untar:
    """Feed it the stream; what it gives are whole files. Those longer than `most` bytes are passed over.

    `ended`: all files were there. `rest` is what followed the end of the archive. Raises OutcomeUnknown when the
    stream is no tar stream, or holds anything but plain files.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = bytearray()
        self._skip = 0
        self._name = b""
        self.ended = False

    @property
    def rest(self) -> bytes:
        return bytes(self._held).lstrip(b"\0")

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        self._held += data
        return list(self._members()) if not self.ended else []

    def _members(self) -> Iterator[tuple[str, bytes]]:
        at = 0
        while not self.ended:
            passed = min(self._skip, len(self._held) - at)
            self._skip, at = self._skip - passed, at + passed
            if self._skip or at + _BLOCK > len(self._held):
                break
            header = bytes(self._held[at : at + _BLOCK])
            if not any(header[:1]) and header == bytes(_BLOCK):
                self.ended = True
                break
            name, size, kind = _parsed(header)
            whole = size + -size % _BLOCK
            if kind in _PLAIN and size > self._most:
                at, self._skip, self._name = at + _BLOCK, whole, b""
                continue
            if at + _BLOCK + whole > len(self._held):
                break
            content = bytes(self._held[at + _BLOCK : at + _BLOCK + size])
            at += _BLOCK + whole
            if kind == tarfile.GNUTYPE_LONGNAME:
                self._name = content.rstrip(b"\0")
                continue
            yield os.fsdecode(self._name or name), content
            self._name = b""
        del self._held[:at]


def _parsed(header: bytes) -> tuple[bytes, int, bytes]:
    """Name, size and type of a member."""
    try:
        size, told = _number(header[124:136]), _number(header[148:156])
    except ValueError:
        raise OutcomeUnknown("The site sent something that is no tar stream.") from None
    if told != 256 + sum(header[:148]) + sum(header[156:]):
        raise OutcomeUnknown("The site sent something that is no tar stream: a checksum is wrong.")
    kind = header[156:157]
    if kind not in _PLAIN and (kind != tarfile.GNUTYPE_LONGNAME or size > _LONGEST_NAME):
        raise OutcomeUnknown(f"The site sent a tar member of type {kind!r}.")
    return header[:100].partition(b"\0")[0], size, kind


def _number(field: bytes) -> int:
    """Octal digits, or in GNU's way a binary number for what is longer."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    return int(field.strip(b" \0") or b"0", 8)


def pieces(stream: bytes) -> list[tuple[int, int]] | None:
    """Where a file has data: offset and length of each piece, from the beginning of a stream of `tar -S`.

    None when it does not say: the file has no holes, or so many that their places are not all in there.
    """
    if (at := _after_name(stream)) is None:
        return None
    header = stream[at : at + _BLOCK]
    if len(header) < _BLOCK or header[156:157] != tarfile.GNUTYPE_SPARSE:
        return None
    found = _places(header[386:482])
    more, at = header[482], at + _BLOCK
    while more:
        header = stream[at : at + _BLOCK]
        if len(header) < _BLOCK:
            return None
        found += _places(header[:504])
        more, at = header[504], at + _BLOCK
    return [(start, length) for start, length in found if length]


def _after_name(stream: bytes) -> int | None:
    """Past the member that holds a long name, if there is one."""
    if stream[156:157] != tarfile.GNUTYPE_LONGNAME:
        return 0
    try:
        size = _number(stream[124:136])
    except ValueError:
        return None
    return _BLOCK + size + -size % _BLOCK


def _places(field: bytes) -> list[tuple[int, int]]:
    numbers = [_number(field[at : at + 12]) for at in range(0, len(field) - 11, 12)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))
