"""Stage the same large input into very many jobs of one site, and count what travels.

    python -m benchmarks.staging_cache --jobs 1000

A private sshd behind a proxy that counts; the jobs are staged in by one worker process, as many at once as a worker
has slots. Each job's own copy is compared and its folder removed, so that the disk holds little.
Exit code 0 if the input travelled once.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.staging import place_for_data
from benchmarks.staging_data import MIB, one_file
from howdah.models.sites import ForkSite
from howdah.testing.sharing import Shared, share
from howdah.testing.sshd import PrivateSshd
from howdah.testing.wire import Wire


async def _run(options: argparse.Namespace, place: Path) -> Shared:
    one_file(place / "from", options.size * MIB)
    with PrivateSshd(place / "sshd") as server:
        async with Wire(server.port) as wire:
            site = ForkSite(
                name="far",
                kind="fork",
                ssh=server.alias,
                ssh_config=str(server.behind(wire.port)),
                scratch=str(place / "scratch"),
            )
            return await share(site, place / "from" / "file.bin", wire, jobs=options.jobs, at_once=options.at_once)


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="howdah-cache-", dir=place_for_data()) as folder:
        began = time.monotonic()
        done = asyncio.run(_run(options, Path(folder)))
        took = time.monotonic() - began
    print(f"{done.jobs} jobs with the same {done.size / MIB:.0f} MiB, {options.at_once} at once: {took:.0f} s")
    print(f"  to the site {done.sent / MIB:.1f} MiB, from it {done.received / MIB:.1f} MiB on the wire")
    asked = done.sent + done.received - done.size
    print(f"  without the input itself {asked / done.jobs / 1024:.1f} KiB a job")
    print(f"  left at the site when all jobs' folders were gone: {done.left / MIB:.1f} MiB")
    print(f"  the input travelled {'once' if done.moved_once else 'MORE THAN ONCE'}")
    return 0 if done.moved_once else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--size", type=int, default=50, help="of the input, in MiB (default %(default)s)")
    parser.add_argument(
        "--at-once", type=int, default=20, help="jobs under way (default: a worker's %(default)s slots)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
