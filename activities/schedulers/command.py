"""The user's part of a batch job: everything that is set up for the command, and the command itself."""

import shlex

from howdah.errors import SiteError
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt
from howdah.models.paths import CONTROL
from howdah.models.sites import Site

_LOGIN_SHELL = "/bin/bash -l"
_SHELL = "/bin/sh"


def runner(attempt: Attempt) -> str:
    """The shell that reads the user's part. `module` is a function of login shells: only who wants it pays for one."""
    return _LOGIN_SHELL if attempt.job.spec.environment.modules else _SHELL


def render(attempt: Attempt, site: Site, folder: str) -> str:
    """The file `command`: variables, the site's prelude, modules, then the command exactly as the user wrote it."""
    spec = attempt.job.spec
    environment = spec.environment
    lines = [
        f"#!{runner(attempt)}",
        "unset SLURM_EXPORT_ENV",  # else every srun inside loses its environment
        *(f"export {name}={shlex.quote(value)}" for name, value in (_ours(attempt) | environment.variables).items()),
    ]
    if site.job_prelude:
        lines.append(site.job_prelude.rstrip("\n"))
    if environment.modules:
        names = " ".join(shlex.quote(name) for name in environment.modules)
        lines.append(f"module load {names} || {{ echo 'howdah: cannot load the modules: {names}' >&2; exit 1; }}")
    lines.append(f"cd {shlex.quote(folder)} || exit 1")
    return "\n".join((*lines, _call(attempt, site, folder)))


def inner(attempt: Attempt) -> str | None:
    """The file `inner`, which something else than our shell reads: a container, or the interpreter it names itself."""
    spec = attempt.job.spec
    return _ended(spec.command) if spec.environment.container or spec.command.startswith("#!") else None


def _call(attempt: Attempt, site: Site, folder: str) -> str:
    spec = attempt.job.spec
    if inner(attempt) is None:
        return _ended(spec.command)
    words = [*_interpreter(spec.command), f"{folder}/{CONTROL}/inner"]
    if image := spec.environment.container:
        if any(sign in folder for sign in ":,"):
            raise SiteError(
                f"The folder {folder} holds ':' or ',', which {site.container} cannot bind.",
                cause=FailureCause.CONFIGURATION,
                hint=f"choose another scratch for site {site.name}",
            )
        words = [site.container, "exec", "--bind", folder, "--pwd", folder, image, *words]
    return f"exec {shlex.join(words)}\n"


def _interpreter(command: str) -> list[str]:
    """As the kernel reads a first line: the program, and all the rest as one argument."""
    first = command.partition("\n")[0]
    return (first[2:].split(None, 1) or [_SHELL]) if first.startswith("#!") else [_SHELL]


def _ours(attempt: Attempt) -> dict[str, str]:
    return {
        "HOWDAH_EXPERIMENT": attempt.job.experiment,
        "HOWDAH_JOB": attempt.job.name,
        "HOWDAH_ATTEMPT": str(attempt.number),
        "HOWDAH_KEY": attempt.key,
    }


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"
