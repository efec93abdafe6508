"""Kill transfers at random offsets, and measure what each kill costs.

    python -m benchmarks.staging_kills --kills 100

Stage-in and stage-out of about 85 MiB in 305 files, over a private sshd behind a proxy. Each transfer is hit once:
in turn the worker process by SIGKILL and the connection by a reset, when a random number of bytes has passed. After
every kill whatever has its final name must have its final content; every transfer must come through in the end.

Exit code 0 if all was right and no kill made more bytes travel again than the blocks that were under way.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.staging import place_for_data
from benchmarks.staging_data import MIB, mixed_files
from howdah.activities.staging import Sizes
from howdah.models.sites import ForkSite
from howdah.testing.kills import Disturbed, Kill, StagingIn, StagingOut, Transfer
from howdah.testing.sshd import PrivateSshd
from howdah.testing.wire import Wire

SOCKETS = 12 * MIB
"""What the kernel's buffers and SSH's windows (2 MiB for each of OpenSSH's sessions) may hold at a kill, and the
pack of small files, which begins again from its start."""


async def _hit(transfer: Transfer, site: ForkSite, wire: Wire, kills: int, seed: int) -> list[Kill]:
    async with Disturbed(transfer, site, wire, seed=seed) as disturbed:
        print(f"{type(transfer).__name__}: {disturbed.usual / MIB:.1f} MiB on the wire when undisturbed", flush=True)
        done = []
        for number, how in zip(range(kills), itertools.cycle(("killed", "cut")), strict=False):
            done.append(await disturbed.one("killed" if how == "killed" else "cut"))
            if number % 10 == 9:
                print(f"  {number + 1} kills", file=sys.stderr, flush=True)
        return done


async def _run(options: argparse.Namespace, place: Path) -> bool:
    source = place / "from" / "data"
    mixed_files(source, options.seed)
    right = True
    with PrivateSshd(place / "sshd") as server:
        async with Wire(server.port) as wire:
            site = ForkSite(
                name="far",
                kind="fork",
                ssh=server.alias,
                ssh_config=str(server.behind(wire.port)),
                scratch=str(place / "scratch"),
            )
            transfers: dict[str, Transfer] = {
                "in": StagingIn(site, source),
                "out": StagingOut(site, source, place / "home"),
            }
            for transfer in (found for name, found in transfers.items() if options.only in (None, name)):
                began = time.monotonic()
                kills = await _hit(transfer, site, wire, options.kills, options.seed)
                right = _told(kills, time.monotonic() - began) and right
    return right


def _told(kills: list[Kill], took: float) -> bool:
    sizes = Sizes()
    bound = sizes.lanes * sizes.block + SOCKETS
    print(f"  {len(kills)} kills in {took:.0f} s: every transfer came through, nothing was ever wrong under its name")
    for how in ("killed", "cut"):
        again = [kill.again / MIB for kill in kills if kill.how == how]
        if again:
            words = f"max {max(again):.1f} MiB, mean {statistics.mean(again):.1f} MiB"
            print(f"  {how:6} {len(again):4} times: sent again per kill: {words}")
    worst = max(kills, key=lambda kill: kill.again)
    within = worst.again <= bound
    print(f"  bound: {bound / MIB:.0f} MiB ({sizes.lanes} lanes x {sizes.block >> 20} MiB, and sockets): ", end="")
    print("kept" if within else f"BROKEN by {worst}")
    return within


def main() -> int:
    options = _options()
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="howdah-kills-", dir=place_for_data()) as folder:
        return 0 if asyncio.run(_run(options, Path(folder))) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="for each direction (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("in", "out"), help="one direction")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
