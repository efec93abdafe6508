"""The board of a site: a folder in its scratch where every job leaves its key when it has ended.

An entry is a hint to look, never the truth: that is the end record in the job's own folder, written before.
"""

from howdah.activities.folder import scratch
from howdah.activities.schedulers.snippets import snippet
from howdah.models.sites import Site


def bell(site: Site) -> str:
    """Shell text that goes on until its standard input ends (within two seconds of it), or for an hour.

    It prints each key that is on the board, then each new one within about a second, a line each; and an empty line
    when it has said nothing else for ten seconds. A key that was taken down and comes again is printed again. Where
    there can be no board there are only empty lines. What comes on its standard input is ignored.
    """
    return f"scratch={scratch(site)}\n" + snippet("corner") + snippet("bell")
