"""The parts of a site. On their own, for errors name them, and who only asks for help must not wait for pydantic."""

from enum import StrEnum


class Part(StrEnum):
    """A part of a site that may be out of order for everybody at once."""

    LOGIN = "login"
    """The way there: network, host key, credentials, login shell."""
    SCHEDULER = "scheduler"
    SCRATCH = "scratch"
    """Room on the file system where jobs have their folders."""
