"""What a program that a test starts may see of our surroundings."""

import os


def without_settings() -> dict[str, str]:
    """The environment without any setting of howdah's or Temporal's: those of whoever runs the tests are not meant."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("HOWDAH_", "TEMPORAL_"))}
