"""What may be run at the site in the name of rsync."""

import pytest

from howdah.activities.staging.rsync_talk import expected
from howdah.errors import DataError

SENDS = ["site", "rsync", "--server", "-tRe.LsfxCIvu", "--timeout=180", "--inplace", ".", "."]
FETCHES = ["site", "rsync", "--server", "--sender", "-tSRe.LsfxCIvu", "--files-from=-", "--from0", ".", "."]


def test_the_other_half_of_our_own_rsync_may_be_run() -> None:
    assert expected(SENDS, fetches=False) == SENDS[2:]
    assert expected(FETCHES, fetches=True) == FETCHES[2:]


@pytest.mark.parametrize(
    "words",
    [
        "",
        "site",
        "site rsync",
        "site rm -rf .",
        "other rsync --server -t . .",
        "-l me site rsync --server -t . .",
        "site rsync --server -t . /etc",
        "site rsync --server -t .. .",
        "site rsync --server --remove-source-files . .",
        "site rsync --server --log-file=/etc/x . .",
        "site rsync --daemon . .",
        "site rsync --server -t;id . .",
        "site rsync --server --sender -t . .",
    ],
)
def test_nothing_else_may_be_run(words: str) -> None:
    with pytest.raises(DataError, match="unexpected"):
        expected(words.split(), fetches=False)
