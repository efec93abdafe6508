"""The scripts as they are sent."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from howdah.activities.schedulers import command
from howdah.activities.schedulers.fork import Fork
from howdah.activities.schedulers.slurm import Slurm
from howdah.activities.schedulers.snippets import assign, here, snippet
from howdah.errors import SiteError
from howdah.models.job import Attempt
from howdah.models.sites import ForkSite, SlurmSite
from howdah.testing.jobs import attempt_at

KEY = "hd-t-aaaaaaaaaaaaaaaaaaaaaaaaaa"
FOLDER = "/scratch/e/main/1-aaaaaaaa"
SITE = SlurmSite(name="bigred", account="ab123", directives=("--constraint=haswell", "--exclusive"))
NASTY = "'; touch /tmp/pwned; $(id) `id` \\ \"\n#SBATCH --uid=0\nHD_EOF\n"


def attempt(text: str = "true", **spec: Any) -> Attempt:
    made = attempt_at("bigred", command=text, **spec)
    job = made.job.model_copy(update={"experiment": "e"})
    return made.model_copy(update={"key": KEY, "folder": FOLDER, "job": job})


def test_the_directives_of_a_full_request() -> None:
    resources = {
        "nodes": 2, "tasks": 8, "cpus_per_task": 4, "gpus": 1, "memory": 4 * 2**30 + 1, "walltime": "90s",
        "queue": "debug", "qos": "high",
    }  # fmt: skip
    script = Slurm(SITE).script(attempt(resources=resources))
    head = script.partition("\n\n")[0]
    assert head.splitlines() == [
        "#!/bin/sh",
        f"#SBATCH --job-name={KEY}",
        f"#SBATCH --comment=howdah:{KEY}",
        f"#SBATCH --chdir={FOLDER}",
        "#SBATCH --output=.howdah/log",
        "#SBATCH --open-mode=append",
        "#SBATCH --no-requeue",
        "#SBATCH --nodes=2",
        "#SBATCH --ntasks=8",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --mem=4097M",
        "#SBATCH --gres=gpu:1",
        "#SBATCH --time=2",
        "#SBATCH --partition=debug",
        "#SBATCH --account=ab123",
        "#SBATCH --qos=high",
        "#SBATCH --constraint=haswell",
        "#SBATCH --exclusive",
    ]


def test_the_users_part_of_a_full_request() -> None:
    asked = attempt(
        "python3 pi.py", environment={"modules": ["gcc/12"], "variables": {"A": "it's", "OMP_NUM_THREADS": 4}}
    )
    site = SITE.model_copy(update={"job_prelude": "ulimit -c 0\n"})
    assert command.render(asked, site, FOLDER) == (
        "#!/bin/bash -l\n"
        "unset SLURM_EXPORT_ENV\n"
        "export HOWDAH_EXPERIMENT=e\n"
        "export HOWDAH_JOB=main\n"
        "export HOWDAH_ATTEMPT=1\n"
        f"export HOWDAH_KEY={KEY}\n"
        "export A='it'\"'\"'s'\n"
        "export OMP_NUM_THREADS=4\n"
        "ulimit -c 0\n"
        "module load gcc/12 || { echo 'howdah: cannot load the modules: gcc/12' >&2; exit 1; }\n"
        f"cd {FOLDER} || exit 1\n"
        "python3 pi.py\n"
    )


def test_a_container_is_called_with_quoted_words_and_its_command_in_a_file() -> None:
    asked = attempt("#!/usr/bin/env python3\nprint()", environment={"container": "docker://python:3.12"})
    text = command.render(asked, SITE, FOLDER)
    called = f"exec apptainer exec --bind {FOLDER} --pwd {FOLDER} docker://python:3.12 /usr/bin/env python3"
    assert text.endswith(f"{called} {FOLDER}/.howdah/inner\n")
    assert command.inner(asked) == "#!/usr/bin/env python3\nprint()\n"
    with pytest.raises(SiteError, match="cannot bind"):
        command.render(asked, SITE, "/scratch/a,b")


def test_nothing_a_user_writes_becomes_a_directive_or_is_run_by_the_scheduler() -> None:
    asked = attempt(NASTY, environment={"variables": {"X": NASTY}})
    for script in (Slurm(SITE).script(asked), Fork(ForkSite(name="f")).script(asked)):
        assert script == script.replace("pwned", "") and "--uid" not in script
    directives = [line for line in Slurm(SITE).script(asked).splitlines() if line.startswith("#SBATCH")]
    assert directives == Slurm(SITE).script(asked).splitlines()[1 : 1 + len(directives)]


@pytest.mark.parametrize(
    "folder", ["/scratch/a b", "/scratch/a\n#SBATCH --uid=0", "/scratch/%j", "/scratch/a'b", "/scratch/a\\b"]
)
def test_a_folder_that_cannot_stand_in_a_directive_is_refused(folder: str) -> None:
    with pytest.raises(SiteError, match="cannot hold"):
        Slurm(SITE).script(attempt().at(folder))


def test_a_script_can_be_shown_before_there_is_a_folder() -> None:
    asked = attempt_at("bigred")
    site = SITE.model_copy(update={"scratch": "/N/scratch/{user}/howdah"})
    assert f"#SBATCH --chdir=/N/scratch/{{user}}/howdah/{asked.subfolder}\n" in Slurm(site).script(asked)
    assert "walltime=''" in Fork(ForkSite(name="f")).script(asked)


@pytest.mark.parametrize("text", [NASTY, "no line end", "", "HD_\n", "$HOME\n`id`\n"])
def test_a_here_document_carries_any_text(text: str) -> None:
    done = subprocess.run(["/bin/sh", "-s"], input=here("cat", text), capture_output=True, text=True, check=True)
    assert done.stdout == (text if text.endswith("\n") else text + "\n")


def test_an_assignment_carries_any_value() -> None:
    script = assign(value=NASTY, nothing=None) + 'printf "%s|%s" "$value" "$nothing"'
    done = subprocess.run(["/bin/sh", "-s"], input=script, capture_output=True, text=True, check=True)
    assert done.stdout == NASTY + "|"


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("path", sorted((Path(command.__file__).parent).glob("*.sh")), ids=lambda path: path.name)
def test_every_snippet_is_sound_shell(path: Path, shell: str) -> None:
    assert snippet(path.stem) == path.read_text()
    subprocess.run([shell, "-n", str(path)], check=True)
