"""Record what a real Slurm says, for the tests of the parsers: python -m tests.schedulers.transcripts.record

A transcript is the exit code in the first line, then standard output and error as they came.
"""

import re
import subprocess
import tempfile
from pathlib import Path

from howdah.testing.slurm import PrivateSlurm

HERE = Path(__file__).parent
KEY = "hd-t-aaaaaaaaaaaaaaaaaaaaaaaaaa"

REFUSED = {
    "invalid_partition": ("--partition=nope",),
    "too_much_memory": ("--mem=900G",),
    "invalid_gres": ("--gres=gpu:4",),
    "invalid_time": ("--time=x",),
    "invalid_feature": ("--constraint=nope",),
    "invalid_reservation": ("--reservation=nope",),
    "too_many_nodes": ("--nodes=9",),
    "unknown_option": ("--frobnicate",),
}


LIMITS = (
    ("user", "root", "MaxJobs=1", "MaxSubmitJobs=8"),
    ("qos", "normal", "MaxWall=30", "MaxTRESPerUser=cpu=4"),
    ("account", "phys", "GrpTRES=cpu=40"),
)
LIBRARY = "usr/lib/*/slurm*/libslurmfull.so"
REASONS = re.compile(
    r"(Assoc(Grp|Max)|QOS(Grp|Max|Min|Not|Job|Res|Time|Us)|JobHe|JobHo)\w+|Max\w+Per(Account|Limit)|ReservationDeleted"
    r"|Partition(Down|Config|Inactive|NodeLimit|TimeLimit)|BurstBuffer(Operation|Resources|StageIn)|FedJobLock"
    r"|Power(NotAvail|Reserved)|Licenses|Cleaning|PrologSlurmctld|ReqNodeNotAvail|NodeDown|InvalidAccount|InvalidQOS"
    r"|AccountNotAllowed|BadConstraints|BeginTime|FrontEndDown|SystemFailure|JobArrayTaskLimit|DependencyNeverSatisfied"
)
# Words that are those of other things in the library, too, and what older releases say.
COMMON = (
    *("Priority", "Resources", "Dependency", "Reservation", "AccountingPolicy", "Prolog", "Constraints"),
    *("AssociationJobLimit", "AssociationResourceLimit", "AssociationTimeLimit"),
)


def main() -> None:
    record_reasons()
    record_limits()
    record_words()


def record_reasons() -> None:
    """All reasons in Slurm's library."""
    library = next(Path("/").glob(LIBRARY)).read_bytes()
    words = {word.decode() for word in re.findall(rb"[A-Za-z]{4,}", library)}
    found = sorted(filter(REASONS.fullmatch, words))
    (HERE / "reasons.txt").write_text("\n".join(("0", *found, *COMMON, "")))


def record_limits() -> None:
    """Of a Slurm with accounting: one job runs, another may not."""
    enforced = "associations,limits,qos"
    with (
        tempfile.TemporaryDirectory() as folder,
        PrivateSlurm(Path(folder) / "slurm", accounting=True, AccountingStorageEnforce=enforced) as slurm,
    ):
        slurm.run("sacctmgr", "--immediate", "add", "account", "phys")
        slurm.run("sacctmgr", "--immediate", "add", "user", "root", "account=phys")
        for what, name, *limits in LIMITS:
            slurm.run("sacctmgr", "--immediate", "modify", what, name, "set", *limits)
        for _ in range(2):
            slurm.run("sbatch", "--output=/dev/null", "--wrap=sleep 300")
        slurm.until(lambda rows: [row.state for row in rows] == ["RUNNING", "PENDING"])
        shown = slurm.run("scontrol", "--oneliner", "show", "assoc_mgr", "users=root", "flags=assoc,qos")
    lines = [line for line in shown.splitlines() if line.startswith(("ClusterName=", "QOS="))]
    (HERE / "scontrol_assoc_mgr.txt").write_text("\n".join(("0", *lines, "")))


def record_words() -> None:
    with tempfile.TemporaryDirectory() as folder, PrivateSlurm(Path(folder) / "slurm", MessageTimeout="3") as slurm:
        script = Path(folder) / "job.sh"
        script.write_text("#!/bin/sh\nexit ${1:-0}\n")

        def record(name: str, *command: str) -> None:
            done = subprocess.run(command, env=slurm.environment(), capture_output=True, text=True, timeout=120)
            text = f"{done.returncode}\n{done.stdout}{done.stderr}".replace(folder, "/folder")
            (HERE / f"{name}.txt").write_text(text)

        for name, options in REFUSED.items():
            record(f"sbatch_{name}", "sbatch", "--parsable", *options, str(script))
        empty = Path(folder) / "empty.sh"
        empty.write_text("")
        record("sbatch_empty_script", "sbatch", "--parsable", str(empty))
        for code in ("0", "137"):
            slurm.run("sbatch", f"--job-name={KEY}", "--output=/dev/null", str(script), code)
        slurm.run("sbatch", "--job-name=odd\nname|x", "--partition=down", "--output=/dev/null", str(script))
        rows = slurm.until(lambda rows: [row.state for row in rows][-3:] == ["COMPLETED", "FAILED", "PENDING"])
        record("squeue_rows", "squeue", "--noheader", "--states=all", "--sort=i", "--format=MARK|%i|%F|%T|%r|%N|%j")
        record("scontrol_job", "scontrol", "--oneliner", "show", "job", rows[-2].native_id)
        record("scontrol_partition", "scontrol", "--oneliner", "show", "partition")
        record("sacct_off", "sacct", "--allocations", "--noheader", "--parsable2", "--jobs=1")
        slurm.freeze()
        record("sbatch_frozen_controller", "sbatch", "--parsable", str(script))
        slurm.thaw()
        slurm.kill_controller()
        record("sbatch_no_controller", "sbatch", "--parsable", str(script))
        record("squeue_no_controller", "squeue", "--noheader")
        record("scancel_no_controller", "scancel", "--user=root", f"--name={KEY}")
        record("scontrol_ping_down", "scontrol", "ping")


if __name__ == "__main__":
    main()
