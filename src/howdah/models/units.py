"""Durations, sizes and tokens as people write them."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_BYTES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "P": 2**50}
_LONGEST = timedelta(days=3660)
_LARGEST = 2**60


def parse_duration(text: Any) -> Any:
    """`90s`, `1h30m`, `2d`, `01:30:00`, `1-12:00:00` or a number of seconds."""
    if isinstance(text, bool):
        raise ValueError("a duration is a text like 90s, 1h30m or 2d")
    if isinstance(text, timedelta):
        return _sane(text)
    if isinstance(text, int | float):
        return _sane(_seconds(text))
    if not isinstance(text, str):
        raise ValueError("a duration is a text like 90s, 1h30m or 2d")
    if clock := re.fullmatch(r"(?:(\d{1,4})-)?(\d{1,4}):([0-5]\d):([0-5]\d)", text.strip()):
        days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return _sane(timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds))
    if re.fullmatch(r"(?:\d{1,9}(?:\.\d{1,3})?[smhdw]\s*)+", text.strip()):
        parts = re.findall(r"([\d.]+)([smhdw])", text)
        return _sane(_seconds(sum(float(number) * _SECONDS[unit] for number, unit in parts)))
    if re.fullmatch(r"\d{1,9}(?:\.\d{1,3})?", text.strip()):
        return _sane(_seconds(float(text)))
    raise ValueError(f"{text!r} is not a duration; write 90s, 1h30m, 2d or 01:30:00")


def _seconds(number: float) -> timedelta:
    if not abs(number) < _LONGEST.total_seconds() * 10:  # also catches NaN
        raise ValueError("this duration is out of range; the longest is ten years")
    return timedelta(seconds=number)


def _sane(duration: timedelta) -> timedelta:
    if duration <= timedelta(0):
        raise ValueError("a duration must be longer than zero")
    if duration > _LONGEST:
        raise ValueError("this duration is out of range; the longest is ten years")
    return duration


def parse_size(text: Any) -> Any:
    """`4G`, `512MiB`, `1.5T` or a number of bytes. Units are powers of 1024, as in Slurm."""
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise ValueError("a size is a text like 512M or 4G")
    found = re.fullmatch(r"(\d{1,20}(?:\.\d{1,3})?)\s*([KMGTP]?)(?:i?B)?", str(text).strip(), re.IGNORECASE)
    if not found:
        raise ValueError(f"{text!r} is not a size; write 512M, 4G or 1.5T")
    size = int(float(found[1]) * _BYTES[found[2].upper()])
    if not 0 < size <= _LARGEST:
        raise ValueError("this size is out of range; it must be between 1 byte and 1024P")
    return size


def human_size(size: float) -> str:
    """1536 -> `1.5 KiB`."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} PiB"


def human_duration(duration: timedelta) -> str:
    """Two units at most: `42s`, `3m 20s`, `2h 5m`, `1d 4h`."""
    seconds = round(duration.total_seconds())
    if seconds < 60:
        return f"{seconds}s"
    for small, large, unit in ((60, "m", "s"), (3600, "h", "m"), (86400, "d", "h")):
        if seconds < small * (60 if large == "m" else 24) or large == "d":
            rest = seconds % small // (small // 60 if large != "d" else 3600)
            return f"{seconds // small}{large}" + (f" {rest}{unit}" if rest else "")
    raise AssertionError(seconds)


def _one_line(text: str) -> str:
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ValueError("must not hold line breaks or control characters")
    return text


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold NUL bytes")
    return text


def _printable(text: str) -> str:
    """Surrogates cannot be written as UTF-8, so neither as JSON nor as a file."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode text") from None
    return text


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(lambda value: value.total_seconds(), return_type=float, when_used="json"),
    WithJsonSchema({"type": ["string", "number"], "examples": ["90s", "1h30m", "2d", "01:30:00"]}),
]
Size = Annotated[
    int, BeforeValidator(parse_size), WithJsonSchema({"type": ["string", "integer"], "examples": ["512M", "4G"]})
]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
CountOrNone = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Text = Annotated[str, AfterValidator(_no_nul), AfterValidator(_printable)]
Line = Annotated[str, AfterValidator(_one_line), AfterValidator(_printable)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""What becomes part of ids, folders and job names."""
Token = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,127}$")]
"""A partition, an account, a quality of service: never a blank, never a leading dash."""
