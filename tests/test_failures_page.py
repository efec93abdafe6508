"""The page of failures promises nothing that no test proves."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "failures.md"
ROWS = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| what goes")]
PROOF = re.compile(r"\[\d+\]\((\S+) \"(test_\w+)\"\)")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_every_failure_on_the_page_names_tests_that_there_are(row: str) -> None:
    proofs = PROOF.findall(row)
    assert proofs
    for file, name in proofs:
        assert f"def {name}(" in (PAGE.parent / file).read_text(), f"{file} has no {name}"
