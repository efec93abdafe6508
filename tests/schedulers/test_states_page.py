"""The page of states has every word that the code knows, and no other."""

import re
from pathlib import Path

from howdah.activities.schedulers.slurm_states import STATES

PAGE = Path(__file__).parents[2] / "docs/states.md"


def test_the_page_of_states_has_every_word_of_slurm_with_its_meaning() -> None:
    told = re.findall(r"^\| `([A-Z_]+)` \| (\w+) \| (?:`(\w+)`)? ?\|$", PAGE.read_text(), re.MULTILINE)
    assert told == [(word, str(state), str(cause or "")) for word, (state, cause) in STATES.items()]
