"""Shell text: the parts that lie beside this file as `*.sh`, and values put safely in front of them."""

import hashlib
import shlex
from functools import cache
from importlib.resources import files


@cache
def snippet(name: str) -> str:
    return (files("howdah.activities.schedulers") / f"{name}.sh").read_text(encoding="utf-8")


def assign(**values: object) -> str:
    """`name='value'` a line; None becomes the empty word."""
    return "".join(f"{name}={shlex.quote('' if value is None else str(value))}\n" for name, value in values.items())


def here(command: str, text: str, *, then: str = "") -> str:
    """`text` as the standard input of `command`; `then` follows it, e.g. `|| return 1`.

    The end mark is made of the text, so the text cannot hold it.
    """
    mark = "HD_" + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return f"{command} <<'{mark}' {then}\n{text if text.endswith(chr(10)) else text + chr(10)}{mark}\n"


def clean(text: str) -> str:
    """What a site said, fit for a model: bytes that are not UTF-8 are replaced."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\ufffd")
