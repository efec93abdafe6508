"""The batch script for Slurm: directives, then the wrapper. The user's text is never part of it."""

import math
import re

from howdah.activities.schedulers.command import runner
from howdah.activities.schedulers.slurm_words import BEGINS_AGAIN
from howdah.activities.schedulers.snippets import assign, snippet
from howdah.errors import SiteError
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt
from howdah.models.paths import CONTROL
from howdah.models.sites import SlurmSite

_HOOKS = f"""\
about=restarts=${{SLURM_RESTART_COUNT:-0}}
me=$SLURM_JOB_ID
take_turn() {{ [ -z "${{SLURM_RESTART_COUNT:-}}" ] || echo "{BEGINS_AGAIN} $SLURM_RESTART_COUNT"; }}
begin_watch() {{ :; }}
clear_away() {{ :; }}
"""
_PLAIN = re.compile(r"[A-Za-z0-9._+@:,={}/~-]+")
MIB = 2**20


def render(attempt: Attempt, site: SlurmSite, folder: str) -> str:
    """Raises: SiteError when the folder's name cannot stand in a directive."""
    if not _PLAIN.fullmatch(folder):
        raise SiteError(
            f"The folder {folder} has characters that Slurm's directives cannot hold.",
            cause=FailureCause.CONFIGURATION,
            hint=f"choose a scratch of letters, digits and ._+@:,=- for site {site.name}",
        )
    lines = [f"#SBATCH {directive}" for directive in directives(attempt, site, folder)]
    settings = assign(folder=folder, key=attempt.key, runs=runner(attempt))
    return "\n".join(("#!/bin/sh", *lines, "", settings)) + _HOOKS + snippet("wrapper")


def directives(attempt: Attempt, site: SlurmSite, folder: str) -> list[str]:
    """Without `--requeue` one id has one life: what must run again is a new attempt."""
    return [
        f"--job-name={attempt.key}",
        f"--comment=howdah:{attempt.key}",
        f"--chdir={folder}",
        f"--output={CONTROL}/log",
        "--open-mode=append",
        "--no-requeue",
        *_resources(attempt, site),
        *site.directives,
    ]


def _resources(attempt: Attempt, site: SlurmSite) -> list[str]:
    asked = attempt.job.spec.resources
    wishes = {
        "nodes": asked.nodes,
        "ntasks": asked.tasks,
        "cpus-per-task": asked.cpus_per_task,
        "mem": asked.memory and f"{math.ceil(asked.memory / MIB)}M",
        # Per node, as memory is. The newer --gpus-... need select/cons_tres; this every site with GPUs understands.
        "gres": asked.gpus and f"gpu:{asked.gpus}",
        "time": asked.walltime and math.ceil(asked.walltime.total_seconds() / 60),
        "partition": asked.queue or site.queue,
        "account": asked.account or site.account,
        "qos": asked.qos or site.qos,
    }
    return [f"--{name}={value}" for name, value in wishes.items() if value]
