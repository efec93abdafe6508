"""What the wrappers left in the folders of their jobs, read back from one look."""

import re
import secrets
from collections import defaultdict
from collections.abc import Sequence

from howdah.activities.schedulers.snippets import assign, clean, here, snippet
from howdah.models.batch import EndRecord, StartRecord
from howdah.models.job import Attempt

_FIELD = re.compile(r"([a-z_]+)=(\S*)")
_IN_LOG = re.compile(r"^howdah (start|end) (.*)$", re.MULTILINE)


class Look:
    """One look at many folders: its script, and its marked lines once they are there.

    Every line of the answer begins with a number made for this look, so nothing that was written before can forge one.
    """

    def __init__(self, attempts: Sequence[Attempt], *, closely: bool) -> None:
        self.mark = secrets.token_hex(8)
        self._folders = "".join(f"{attempt.key} {attempt.folder}\n" for attempt in attempts if attempt.folder)
        self._closely = closely

    def begin(self) -> str:
        return assign(n=self.mark) + snippet("records")

    def end(self) -> str:
        """Listings first: they make a network file system show what is new."""
        first = here("look_closely", self._folders) if self._closely else ""
        return first + here("look", self._folders) + "printf '%s done\\n' \"$n\"\n"

    def over_folders(self, function: str) -> str:
        """Call a shell function that reads lines `KEY FOLDER`."""
        return here(function, self._folders)

    def found(self, out: str) -> "Found":
        return Found(self.mark, clean(out))


class Found:
    """Marked lines by topic: `all("process")` are the rests of all lines MARK process REST."""

    def __init__(self, mark: str, out: str) -> None:
        self._topics: defaultdict[str, list[str]] = defaultdict(list)
        self.rows: list[str] = []
        """Lines MARK|...: rows of a scheduler's own table."""
        words = []
        for line in out.split("\n"):
            if line.startswith(f"{mark} "):
                _, topic, rest = f"{line} ".split(" ", 2)
                self._topics[topic].append(rest[:-1])
            elif line.startswith(f"{mark}|"):
                self.rows.append(line[len(mark) + 1 :])
            elif line:
                words.append(line)
        self.said = "\n".join(words)
        self._by_key: dict[str, dict[str, list[str]]] = {}

    def all(self, topic: str) -> list[str]:
        return self._topics.get(topic, [])

    def of(self, topic: str, key: str) -> list[str]:
        """The rests of all lines MARK topic KEY REST."""
        if topic not in self._by_key:
            by_key: defaultdict[str, list[str]] = defaultdict(list)
            for line in self.all(topic):
                name, _, rest = line.partition(" ")
                by_key[name].append(rest)
            self._by_key[topic] = by_key
        return self._by_key[topic].get(key, [])

    def text(self, topic: str, key: str) -> str:
        return "\n".join(self.of(topic, key))

    def record(self, topic: str, key: str) -> dict[str, str]:
        """The fields of a record (`start` or `end`), from its file or else from the scheduler's log."""
        lines = self.of(topic, key) or [rest for kind, rest in _IN_LOG.findall(self.text("log", key)) if kind == topic]
        return dict(_FIELD.findall(lines[-1])) if lines else {}

    def start(self, key: str) -> StartRecord | None:
        fields = self.record("start", key)
        if not fields.get("native_id") or not _is_number(fields.get("started", "")):
            return None
        restarts = fields.get("restarts", "")
        return StartRecord(
            native_id=fields["native_id"],
            host=fields.get("host", ""),
            started=int(fields["started"]),
            restarts=int(restarts) if _is_number(restarts) else None,
        )

    def end(self, key: str) -> EndRecord | None:
        """A record that cannot be read is none: the other witnesses decide then."""
        fields = self.record("end", key)
        numbers = [fields.get(name, "") for name in ("exit_code", "started", "ended")]
        if not all(map(_is_number, numbers)):
            return None
        code, started, ended = map(int, numbers)
        signals = tuple(name for name in fields.get("signals", "").split(",") if name)
        return EndRecord(
            exit_code=code,
            signals=signals,
            started=started,
            ended=ended,
            host=fields.get("host", ""),
            out_of_memory=fields.get("oom") == "1",
        )


def _is_number(text: str) -> bool:
    """A program may write into its own records: a number must be one that a clock could show."""
    return text.isdecimal() and len(text) <= 10
