"""What dies at once is started ever more slowly; what lived long is started at once."""

from howdah.workers.embedded.backoff import HEALTHY, LONGEST, SHORTEST, Backoff


def test_pauses_grow_to_the_longest_and_begin_anew_after_a_healthy_life() -> None:
    backoff = Backoff()
    pauses = [backoff.after(0.1) for _ in range(10)]
    assert pauses[:3] == [SHORTEST, 2 * SHORTEST, 4 * SHORTEST]
    assert pauses[-1] == LONGEST
    assert backoff.after(HEALTHY) == SHORTEST
    assert backoff.after(0.1) == 2 * SHORTEST
