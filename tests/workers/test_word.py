"""What a worker on trial tells its supervisor, and what people read of it."""

from howdah.models.versions import Misfit, Replayed, SelfTested
from howdah.workers.embedded.acceptance import why_not
from howdah.workers.embedded.word import Word, decode, encode


def test_a_word_comes_back_as_it_was_said() -> None:
    for word in (Word(accepted=True), Word(refused="why\nnot"), Word(pinned=("howdah:0.1.0-aa", "lattice:0.1.0-aa"))):
        assert decode(encode(word)) == word
        assert encode(word).count(b"\n") == 1


def test_what_else_a_worker_prints_is_no_word() -> None:
    for line in (b"ready\n", b"{}\n", b"[1]\n", b"\xff\n", b"null\n"):
        assert decode(line) is None


def test_a_build_that_does_not_fit_is_refused_with_the_first_experiment_that_it_cannot_go_on_with() -> None:
    misfits = tuple(Misfit(id=name, job_type="hpc", why="another step was expected") for name in ("pi-1", "pi-2"))
    found = SelfTested(
        build="b", recorded=Replayed(replayed=0, of=0), running=Replayed(replayed=2, of=2, misfits=misfits)
    )
    assert why_not(found) == "it cannot go on from the history of pi-1: another step was expected, and 1 more"
    assert why_not(found.model_copy(update={"trouble": "its job failed"})) == "its job failed"
