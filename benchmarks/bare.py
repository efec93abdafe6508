"""The floor of the site: what a user gets who types `sbatch` in a loop on the login node and looks with `squeue`."""

import asyncio
import time

from benchmarks.ground import Ground

LOOK = 0.5
"""Seconds between two looks: more often than anybody should."""
SCRIPT = """
{prelude}
mkdir -p {folder} && cd {folder} || exit
cat >job.sh <<'END'
#!/bin/sh
date +%s.%N >"$1"
END
i=0
while [ $i -lt {count} ]; do
  i=$((i+1))
  sbatch --parsable --job-name=bare --output=/dev/null --time=10 job.sh out-$i.txt >/dev/null || exit
done
date +%s.%N >submitted
while [ -n "$(squeue --noheader --user="$(id -un)" --name=bare)" ]; do sleep {look}; done
"""


async def sbatch_loop(here: Ground, count: int) -> float:
    """Seconds for so many jobs, through one SSH session that has logged in before. Raises RuntimeError."""
    folder = here.folder / f"bare-{time.monotonic_ns()}"
    script = SCRIPT.format(prelude=here.slurm.prelude(), folder=folder, count=count, look=LOOK)
    command = ("ssh", "-F", str(here.sshd.ssh_config), here.sshd.alias, "exec /bin/sh -s")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"echo ready\n")
    await process.stdout.readline()
    began = time.perf_counter()
    _, errors = await process.communicate(script.encode())
    seconds = time.perf_counter() - began
    if process.returncode or len(list(folder.glob("out-*.txt"))) != count:
        raise RuntimeError(f"the bare loop failed: {errors.decode(errors='replace')[-500:]}")
    return seconds
