"""What every `howdah site check` of a batch system reads: lines `hd1 TOPIC ...`, and whether locks work."""

from howdah.activities.schedulers.oneshot import Answer
from howdah.activities.schedulers.snippets import assign, clean, snippet
from howdah.models.answers import Check
from howdah.models.sites import Site

Topics = dict[str, list[str]]

_LOCKS = {
    "works": (True, "works", ""),
    "missing": (
        False,
        "flock is not installed",
        "submissions are still safe: a job runs once, but may be queued twice",
    ),
    "refused": (False, "does not keep others out", "choose a scratch on a file system with locks, if there is one"),
    "unwritable": (False, "cannot be tried: the scratch is not writable", ""),
}


def script(site: Site, name: str) -> str:
    return snippet(name) + assign(scratch=site.scratch) + snippet("flock_check")


def topics(out: str) -> Topics:
    """Raises: OutcomeUnknown when there is nothing of ours in the answer."""
    Answer.of(out)
    found: Topics = {}
    for line in clean(out).split("\n"):
        if line.startswith("hd1 "):
            _, topic, rest = f"{line} ".split(" ", 2)
            found.setdefault(topic, []).append(rest.strip())
    return found


def locks(found: Topics) -> Check:
    word = " ".join(found.get("flock", []))
    ok, said, hint = _LOCKS.get(word, (False, "no answer", ""))
    return Check(name="locks", ok=ok, found=said, hint=hint)
