"""Write down what this release can read: `python -m tests.compatibility.record RELEASE`.

Run it when a release is made. The next one is then held to it: what it sends without using anything new must be read by
the workers and clients of this one.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from howdah.models.desk import Pause, Report, Resume, SiteState
from howdah.models.job import Job, Resolution
from howdah.models.progress import Failure, Live, Progress
from howdah.models.slots import Answer, Ask, SlotsKept, SlotsTally
from howdah.steps import Step, batch, questions, versions

HERE = Path(__file__).parent
BESIDES: tuple[type[BaseModel], ...] = (
    Job,
    Resolution,
    Progress,
    Live,
    Failure,
    SiteState,
    Pause,
    Resume,
    Report,
    SlotsKept,
    Ask,
    Answer,
    SlotsTally,
)
"""What travels and is neither asked of a step nor answered by one."""


def steps() -> Iterator[Step[Any, Any]]:
    for module in (batch, questions, versions):
        yield from (one for one in vars(module).values() if isinstance(one, Step))


def models() -> dict[str, type[BaseModel]]:
    of_steps: list[type[Any]] = [kind for step in steps() for kind in (step.takes, step.gives)]
    return {kind.__name__: kind for kind in (*of_steps, *BESIDES) if kind is not type(None)}


def written() -> dict[str, Any]:
    """A schema with all models among its definitions, and what each step takes and gives. Keys have the names that they
    travel by, which are not those of files that people write."""
    _, schema = models_json_schema([(kind, "validation") for kind in models().values()], by_alias=False)
    named = {step.name: {"takes": step.takes.__name__, "gives": step.gives.__name__} for step in steps()}
    return {"$defs": schema["$defs"], "steps": named}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    text = json.dumps(written(), indent=1, sort_keys=True)
    (HERE / f"models-{sys.argv[1]}.json").write_text(text + "\n")
