"""Several questions in one script: one round trip, an answer for each, told when it is there."""

import secrets
import string
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from howdah.activities.schedulers import Question
from howdah.activities.schedulers.snippets import assign, snippet
from howdah.errors import SiteError

T = TypeVar("T")

LETTERS = string.ascii_letters
MOST = 50
"""Questions in one script: at most as many as there are letters."""
LANES = 4
"""How many of them are asked at once: a scheduler's controller should not notice that there are fifty."""
ENOUGH = 10
"""Seconds after which none is begun any more: a site so slow is asked anew what is left."""
BEGINNING = 120.0
"""Seconds that what is done once for all may take."""


class Late(SiteError):
    """So much time went by with others that this one was not begun: nothing was asked, nothing was done."""

    transient = True


class Together(Generic[T]):
    """`script` asks all `questions` (at least one), each in a subshell of its own; what is the same for all of them
    (`Question.common`) is there once.

    For short answers: of one with more than 3,500 bytes the middle is left out. What one says, or does, or fails to
    do, is no other one's: every answer begins with a number made for this script.
    """

    def __init__(self, questions: Sequence[Question[T]], *, lanes: int = LANES) -> None:
        if not 0 < len(questions) <= MOST or len({one.common for one in questions}) > 1:
            raise ValueError(f"one to {MOST} questions with the same beginning go together")
        self._questions = dict(zip(LETTERS, questions, strict=False))
        self._mark = secrets.token_hex(16)
        self._heard = b""
        self.script = self._compose(questions, lanes)
        self.within = BEGINNING + ENOUGH + max(one.within for one in questions)
        """Seconds."""

    def _compose(self, questions: Sequence[Question[T]], lanes: int) -> str:
        bodies = "".join(
            f"p_{letter}() {{\nahead={number}\n{own(one)}\n}}\n"
            for number, (letter, one) in enumerate(self._questions.items())
        )
        letters = "".join(self._questions)
        first = questions[0]
        settings = assign(mark=self._mark, parts=letters, lanes=min(lanes, len(questions)), enough=ENOUGH)
        return first.common + first.once + bodies + settings + snippet("together")

    def take(self, data: bytes) -> Iterator[tuple[int, T | Exception]]:
        """What the site says, in pieces as they come: yields the answers in them, each with its question's place."""
        *records, self._heard = (self._heard + data).split(b"\2")
        for record in records:
            words = record.decode("utf-8", "surrogateescape").lstrip("\n").split(" ", 3)
            if len(words) < 3 or words[0] != self._mark or words[1] not in self._questions:
                continue
            yield LETTERS.index(words[1]), self._read(self._questions[words[1]], words[2], "".join(words[3:]))

    @staticmethod
    def _read(question: Question[T], word: str, said: str) -> T | Exception:
        if word == "late":
            return Late("The site was busy with others, and this one was not begun.")
        try:
            return question.read(said.replace("\1", "\n") + "\n")
        except Exception as error:  # one that cannot be read must not keep the others' from being told
            return error


def own(question: Question[T]) -> str:
    """The part of its script that is no other's."""
    return question.script.removeprefix(question.common)
