"""Tar streams, written one member after the other (GNU format: names of any bytes and length)."""

import tarfile
import time

_BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * _BLOCK)


_SHORT = 100
_OWNED_BY_NOBODY_IN_PARTICULAR = b"0000000\0" * 2
_REST = b"0" + bytes(100) + b"ustar  \0" + bytes(247)
_REST_SUM = sum(_REST)
_NO_SUM = b" " * 8
"""What counts in place of the sum itself."""


def member(name: str, data: bytes, mode: int = 0o644) -> bytes:
    """A plain file. Most have short names, for which `tarfile` would take ten times as long."""
    raw = name.encode("utf-8", "surrogateescape")
    if len(raw) <= _SHORT:
        return _short_header(raw, len(data), mode) + data + bytes(-len(data) % _BLOCK)
    info = _info(name, mode)
    info.size = len(data)
    return _header(info) + data + bytes(-len(data) % _BLOCK)


def link(name: str, target: str) -> bytes:
    info = _info(name, 0o777)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return _header(info)


def folder(name: str) -> bytes:
    info = _info(name, 0o755)
    info.type = tarfile.DIRTYPE
    return _header(info)


def _short_header(name: bytes, size: int, mode: int) -> bytes:
    numbers = b"%07o\0%s%011o\0%011o\0" % (mode, _OWNED_BY_NOBODY_IN_PARTICULAR, size, int(time.time()))
    before = name.ljust(_SHORT, b"\0") + numbers
    return b"%s%06o\0 %s" % (before, sum(before) + sum(_NO_SUM) + _REST_SUM, _REST)


def _info(name: str, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.mtime = mode, int(time.time())
    return info


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
