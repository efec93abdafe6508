"""Two bundles: a step of one ends its worker, one of the other eats all the memory. Whoever asks leaves a mark."""

import os
from pathlib import Path

from howdah.models.spec import ExperimentSpec
from howdah.plugins import JobType

if marks := os.environ.get("MARKS_OF_RECKLESS"):
    Path(marks, str(os.getpid())).touch()

deadly = JobType(
    "deadly",
    "ends its worker",
    ExperimentSpec,
    workflow="reckless_work:Deadly",
    task_queue="deadly",
    activities=("reckless_work:Reckless",),
)
greedy = JobType(
    "greedy",
    "eats memory",
    ExperimentSpec,
    workflow="reckless_work:Greedy",
    task_queue="greedy",
    activities=("reckless_work:Reckless",),
)
