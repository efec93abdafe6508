"""Which batch jobs Slurm has under our names, whoever submitted them."""

from collections.abc import Callable

from howdah.activities.schedulers import Question
from howdah.activities.schedulers.marks import Mark, fresh, marked, read_marks
from howdah.activities.schedulers.records import Found
from howdah.activities.schedulers.slurm_states import FINAL, witness
from howdah.activities.schedulers.snippets import assign, clean, snippet
from howdah.errors import OutcomeUnknown, SiteError
from howdah.models.answers import BatchRow


def jobs(deaf: Callable[[int, str], SiteError]) -> Question[tuple[BatchRow, ...]]:
    """`deaf` reads the exit code and the words of a Slurm that could not be asked."""
    mark = fresh()
    settings = assign(n=mark, ended="|".join(FINAL))
    script = settings + snippet("slurm") + snippet("marks") + snippet("slurm_jobs")

    def read(out: str) -> tuple[BatchRow, ...]:
        found = Found(mark, clean(out))
        answered, now = found.all("asked"), found.all("now")
        if not answered or not now or not found.all("done"):
            raise OutcomeUnknown("The site's answer is not complete.", says=found.said)
        if answered != ["0"]:
            raise deaf(int(answered[0]), found.said)
        marks = read_marks(found)
        rows = (_row(text, mark, marks, int(now[0])) for text in found.rows)
        return tuple(row for row in rows if row is not None)

    return Question(script, read, within=120.0)


def _row(text: str, mark: str, marks: dict[str, Mark], now: int) -> BatchRow | None:
    """`%i|%T|%V|%r|MARK|%j|MARK|%Z|MARK`. A folder with a line break is one that nobody of us made."""
    about, _, rest = text.partition(f"|{mark}|")
    key, _, folder = rest.partition(f"|{mark}|")
    parts = about.split("|", 3)
    if len(parts) != 4:
        return None
    native_id, word, submitted, reason = parts
    seen = witness(word, native_id=native_id, reason=reason)
    row = BatchRow(
        native_id=native_id,
        key=key,
        state=seen.state,
        word=word,
        reason=seen.reason,
        folder=folder.removesuffix(f"|{mark}") if folder.startswith("/") else "",
        age=max(now - int(submitted), 0) if submitted.isdecimal() else None,
    )
    return marked(row, marks.get(native_id))
