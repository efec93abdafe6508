"""Under which heading a command is listed in `howdah --help`."""

EXPERIMENTS = "Experiments"
ANSWERS = "Change what runs"
FILES = "Files and words"
SITES = "Sites, types and workers"
SERVER = "This machine"
