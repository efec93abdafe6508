"""How long to wait before a further attempt."""

from datetime import timedelta

LONGEST = timedelta(hours=1)


def pause_before_next(tries: int, backoff: timedelta) -> timedelta:
    """After `tries` attempts in a row: `backoff`, twice as long each time, an hour at most.

    Who asks for longer than an hour to begin with gets that.
    """
    longest = max(LONGEST, backoff)
    doubled = backoff.total_seconds() * 2.0 ** (max(tries, 1) - 1)
    return timedelta(seconds=min(doubled, longest.total_seconds()))
