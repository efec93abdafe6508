"""Why a job waits: every reason Slurm has, and the limits behind it."""

import re
import subprocess
from pathlib import Path

import pytest

from howdah.activities.schedulers.records import Found
from howdah.activities.schedulers.slurm_partition import minutes
from howdah.activities.schedulers.slurm_reasons import UNKNOWN, meaning
from howdah.activities.schedulers.slurm_sightings import sightings
from howdah.testing.jobs import attempt_at

TRANSCRIPTS = Path(__file__).parent / "transcripts"
KEY = "hd-t-aaaaaaaaaaaaaaaaaaaaaaaaaa"
REASONS = (TRANSCRIPTS / "reasons.txt").read_text().split("\n")[1:-1]


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_slurm_has_a_meaning(reason: str) -> None:
    found = meaning(reason)
    assert found.words != UNKNOWN
    assert re.fullmatch(r"[a-z].*[a-z)}]", found.words)


@pytest.mark.parametrize(
    ("reason", "words", "never"),
    [
        ("Priority", "other jobs go first", False),
        ("PartitionTimeLimit", "more time than the partition allows", True),
        ("QOSMaxCpuPerUserLimit", "this user already uses as much as the quality of service allows", False),
        ("QOSMaxWallDurationPerJobLimit", "more walltime than a job of the quality of service may have", True),
        ("QOSMaxGRESPerNode", "on one node (GPUs and the like)", True),
        ("QOSMinCpuNotSatisfied", "asks for less than a job of the quality of service has to (processors)", True),
        ("AssocGrpCPUMinutesLimit", "the time granted to the account is used up (processors)", False),
        ("AssocGrpCPURunMinutesLimit", "as much time before them as is allowed at once", False),
        ("AssocMaxJobsLimit", "already has as many jobs as it may", False),
        ("AssocGrpWallLimit", "the walltime granted to the account is used up", False),
        ("MaxNodePerAccount", "the account within the quality of service already uses", False),
        ("QOSMaxQuantumPerUser", "(quantum)", False),
        ("ReqNodeNotAvail, UnavailableNodes:n1", "drained or reserved", False),
        ("ReqNodeNotAvail, Reserved for maintenance", "reserved for maintenance", False),
        ("Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions", "down", False),
        ("launch failed requeued held", "ask its operators", False),
        ("user env retrieval failed requeued held", "login environment", False),
        ("DependencyNeverSatisfied", "the job it waits for failed", True),
        ("SomethingNew", "own reason", False),
    ],
)
def test_a_reason_is_told_in_plain_words_and_whether_the_job_can_start_at_all(
    reason: str, words: str, never: bool
) -> None:
    found = meaning(reason)
    assert words in found.words
    assert found.never_starts is never


@pytest.mark.parametrize(
    ("text", "number"),
    [("01:00:00", 60), ("1-02:00:00", 1560), ("00:30:30", 30.5), ("30:00", 30), ("UNLIMITED", None), ("", None)],
)
def test_a_time_of_slurm_is_read_as_minutes(text: str, number: float | None) -> None:
    assert minutes(text) == number


def told(reason: str, *, partition: str = "short", **fields: str) -> list[str]:
    """The lines for people about a job that waits, with the partitions and limits of a real Slurm."""
    attempt = attempt_at("cluster").model_copy(update={"key": KEY})
    named = {"NumNodes": "1-1", "TimeLimit": "00:10:00", "Account": "root", "QOS": "normal", **fields}
    job = " ".join(f"{name}={value}" for name, value in named.items())
    lines = [
        f"MARK job {KEY} 6",
        f"MARK scontrol {KEY} JobId=6 JobName={KEY} JobState=PENDING Reason={reason} Partition={partition} {job}",
        f"MARK before {KEY} 3",
        f"MARK expected {KEY} 2026-11-22T05:00:00",
        "MARK self 0 root",
        *(f"MARK partition {line}" for line in (TRANSCRIPTS / "scontrol_partition.txt").read_text().splitlines()[1:]),
        *(f"MARK limit {line}" for line in (TRANSCRIPTS / "scontrol_assoc_mgr.txt").read_text().splitlines()[1:]),
    ]
    return list(sightings([attempt], Found("MARK", "\n".join(lines)), closely=True)[KEY].details)


def test_a_job_that_asks_its_partition_for_too_much_is_told_the_limit_and_what_to_do() -> None:
    lines = told("PartitionTimeLimit", TimeLimit="02:00:00", partition="debug")
    assert "asks for 2h, partition debug allows 1h: will never start as asked" in lines
    assert "ask for less: howdah cancel {id}, then: howdah retry {id} --set resources.walltime=1h" in lines
    nodes = told("PartitionNodeLimit", NumNodes="9-9", partition="debug")
    assert "asks for 9 nodes, partition debug allows 1: will never start as asked" in nodes
    assert not any("never" in line for line in told("Priority", TimeLimit="02:00:00", partition="debug"))


def test_it_is_told_how_many_jobs_go_before_and_when_the_job_may_start() -> None:
    lines = told("Priority")
    assert "3 jobs go before it in partition short, as far as this account can see" in lines
    assert "expected start: 2026-11-22T05:00:00" in lines


def test_the_limit_that_is_reached_is_told_with_its_value_and_what_is_in_use() -> None:
    jobs = told("AssocMaxJobsLimit", TRES="cpu=1,mem=100M,node=1,billing=1")
    limit = "account root, user root: at most 1 jobs at a time (MaxJobs); 1 in use now, this job asks for 1"
    assert limit in jobs
    processors = told("QOSMaxCpuPerUserLimit", TRES="cpu=6,mem=100M,node=1,billing=6")
    whose = "quality of service normal, user root: at most 4 processors at a time (MaxTRESPU)"
    assert f"{whose}; 1 in use now, this job asks for 6: will never start as asked" in processors
    walltime = told("QOSMaxWallDurationPerJobLimit", TimeLimit="00:45:00", TRES="cpu=1")
    most = "quality of service normal: at most 30 minutes of walltime in one job (MaxWallPJ); this job asks for 45"
    assert f"{most}: will never start as asked" in walltime
    assert any(line.endswith("--set resources.walltime=30m") for line in walltime)


def test_a_limit_on_all_users_of_an_account_holds_for_the_accounts_below_it() -> None:
    lines = told("AssocGrpCpuLimit", Account="phys", TRES="cpu=50,node=1")
    assert "account phys: at most 40 processors at a time (GrpTRES); 0 in use now, this job asks for 50: " in "".join(
        f"{line} " for line in lines
    )
    assert not any("(GrpTRES)" in line for line in told("AssocGrpCpuLimit", Account="phys", TRES="cpu=5,node=1"))


def test_jobs_that_go_before_are_counted_by_priority_and_then_by_age(tmp_path: Path) -> None:
    """The awk text within slurm_closely.sh, on a made-up queue: priority and id."""
    source = (Path(__file__).parents[2] / "activities/schedulers/slurm_closely.sh").read_text()
    program = source.partition('awk -v id="$id" \'')[2].partition("'")[0]
    queue = "90 7\n100 9\n90 5\n90 8\n0 3\n10 4\n"
    done = subprocess.run(["awk", "-v", "id=7", program], input=queue, capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"
