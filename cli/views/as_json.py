"""JSON for programs."""

import json
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict

from pydantic import BaseModel

from howdah.cli.answers import Crowd, Overview
from howdah.cli.errors import Complaint
from howdah.cli.printed import LogPart, Printed
from howdah.cli.views.changes import changes
from howdah.models.progress import Live, Progress


class JsonView:
    """Exactly one JSON value on standard output, or one to a line where the answer goes on."""

    def show(self, answer: BaseModel) -> None:
        sys.stdout.write(answer.model_dump_json(by_alias=True, indent=2) + "\n")
        sys.stdout.flush()

    def say(self, text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def log(self, part: LogPart) -> None:
        self._line(part)

    def printed(self, answer: Printed) -> None:
        self.show(answer)

    @contextmanager
    def watching(self) -> Iterator[Callable[[Overview], None]]:
        shown: list[Progress] = []

        def tell(overview: Overview) -> None:
            if shown != [progress := overview.with_live()]:
                shown[:] = [progress]
                self._line(progress)

        yield tell

    @contextmanager
    def watching_many(self) -> Iterator[Callable[[Crowd], Collection[str]]]:
        yield changes(self._line)

    @contextmanager
    def moving(self) -> Iterator[Callable[[Live], None]]:
        """Programs do not look on."""
        yield lambda live: None

    def complain(self, complaint: Complaint) -> None:
        told = {key: value for key, value in asdict(complaint).items() if key != "exit_code"}
        sys.stderr.write(json.dumps({"error": told}) + "\n")
        sys.stderr.flush()

    def _line(self, answer: BaseModel) -> None:
        sys.stdout.write(answer.model_dump_json(by_alias=True) + "\n")
        sys.stdout.flush()
