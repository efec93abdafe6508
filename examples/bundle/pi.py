"""Pi by throwing darts, and how far off it may be."""

import os
import random

samples = int(os.environ["SAMPLES"])
dice = random.Random(samples)
hits = sum(dice.random() ** 2 + dice.random() ** 2 < 1 for _ in range(samples))
share = hits / samples
with open("pi.txt", "w") as file:  # noqa: PTH123  # as short as can be
    file.write(f"{4 * share}\n")
print("pi", 4 * share)
print("error", 4 * (share * (1 - share) / samples) ** 0.5)
