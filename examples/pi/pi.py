"""Estimate pi by throwing random points at a square, and write down how the estimate converges.

Needs nothing but Python 3.6, so that it runs on any cluster.
"""

import argparse
import csv
import json
import math
import random
import time
from pathlib import Path


def main():
    options = read_options()
    settings = json.loads(Path(options.settings).read_text())
    source = random.Random(settings["seed"])
    batch = max(options.points // settings["batches"], 1)
    began = time.time()
    inside = thrown = 0
    rows = []
    while thrown < options.points:
        number = min(batch, options.points - thrown)
        inside += throw(number, source)
        thrown += number
        estimate = 4 * inside / thrown
        rows.append((thrown, estimate, abs(estimate - math.pi)))
        print(f"{thrown:8} points: pi is about {estimate:.6f}", flush=True)
    write_down(rows, seconds=time.time() - began)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1000000)
    parser.add_argument("--settings", default="settings.json")
    return parser.parse_args()


def throw(number, source):
    """How many of `number` random points of the unit square lie in the quarter circle."""
    inside = 0
    for _ in range(number):
        x, y = source.random(), source.random()
        inside += x * x + y * y <= 1
    return inside


def write_down(rows, seconds):
    tables = Path("tables")
    tables.mkdir(exist_ok=True)
    with (tables / "convergence.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("points", "estimate", "error"))
        writer.writerows(rows)
    points, estimate, error = rows[-1]
    found = {"points": points, "pi": estimate, "error": error, "seconds": round(seconds, 3)}
    Path("pi.json").write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
