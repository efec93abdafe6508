"""Paths inside a job's folder: relative, going down only, and never into our own corner of it."""

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator

from howdah.models.units import Line

CONTROL = ".howdah"
"""The control folder beside the user's files."""


def inside(path: str) -> str:
    """Normalise `path`; refuse what is absolute, climbs out, or reaches into the control folder."""
    if not path or path.startswith("/"):
        raise ValueError("must be a path relative to the job's folder, such as results/table.csv")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError("must not climb out of the job's folder with '..'")
    if not parts:
        raise ValueError("must name something inside the job's folder")
    if parts[0] == CONTROL:
        raise ValueError(f"{CONTROL} belongs to howdah; choose another name")
    if len(path.encode()) > 4000 or any(len(part.encode()) > 255 for part in parts):
        raise ValueError("is longer than file systems allow")
    return str(PurePosixPath(*parts)) + ("/" if path.endswith("/") else "")


InnerPath = Annotated[Line, AfterValidator(inside)]
