"""Many experiments where there is no screen: what has changed since the last look, one at a time."""

from collections.abc import Callable, Collection

from howdah.cli.answers import Crowd, Watched


def changes(tell: Callable[[Watched], None]) -> Callable[[Crowd], Collection[str]]:
    """Tells each experiment once, and again whenever something about it is another."""
    shown: dict[str, Watched] = {}

    def look(crowd: Crowd) -> Collection[str]:
        for row in crowd.rows:
            if shown.get(row.id) != row:
                shown[row.id] = row
                tell(row)
        return ()

    return look
