"""Which workers the embedded fleet is to have."""

from dataclasses import replace

from howdah.workers.embedded.served import Builds, Kind, Served, to_be_served
from howdah.workers.embedded.served_sites import TRIAL, changes
from howdah.workers.versioning.builds import DEPLOYMENT

N, NEXT = "0.1.0-aaaaaaaa", "0.2.0-bbbbbbbb"
SETTLED = Builds(N, N, frozenset({N}), frozenset({f"howdah:{N}"}))
ON_TRIAL = Builds(NEXT, N, frozenset({N, NEXT}))
LOCAL = Served(Kind.SITE, "local")


def workflows(build: str) -> Served:
    return Served(Kind.WORKFLOWS, DEPLOYMENT, build)


def bundle(build: str) -> Served:
    return Served(Kind.BUNDLE, "lattice", build)


def test_a_fleet_of_one_build_has_a_worker_for_the_workflows_and_one_for_each_site_and_bundle() -> None:
    assert set(to_be_served(SETTLED, {"local": "1"}, ["lattice"])) == {workflows(N), LOCAL, bundle(N)}


def test_a_build_on_trial_serves_a_site_of_its_own_and_sites_and_bundles_stay_with_the_one_before() -> None:
    served = to_be_served(ON_TRIAL, {"local": "1"}, ["lattice"])
    own = Served(Kind.SITE, TRIAL, NEXT)
    assert set(served) == {workflows(N), workflows(NEXT), LOCAL, bundle(N), own}


def test_sites_are_started_anew_with_the_build_that_is_accepted_and_the_trial_ends() -> None:
    before = to_be_served(ON_TRIAL, {"local": "1"}, [])
    after = to_be_served(replace(ON_TRIAL, accepted=NEXT), {"local": "1"}, [])
    change = changes(before, after)
    assert change.restart == {LOCAL}
    assert change.end == {Served(Kind.SITE, TRIAL, NEXT)}
    assert not change.start


def test_a_build_is_served_as_long_as_something_is_pinned_to_it_and_in_doubt() -> None:
    untold = replace(ON_TRIAL, accepted=NEXT)
    assert workflows(N) in to_be_served(untold, {}, [])
    assert untold.needed == {N, NEXT}
    pinned = replace(untold, pinned=frozenset({f"howdah:{N}", f"howdah:{NEXT}"}))
    assert workflows(N) in to_be_served(pinned, {}, [])
    drained = replace(untold, pinned=frozenset({f"howdah:{NEXT}"}))
    assert set(to_be_served(drained, {}, [])) == {workflows(NEXT)}
    assert drained.needed == {NEXT}


def test_experiments_of_a_bundle_keep_the_build_that_they_are_pinned_to() -> None:
    builds = replace(ON_TRIAL, accepted=NEXT, pinned=frozenset({f"howdah:{NEXT}", f"lattice:{N}"}))
    assert set(to_be_served(builds, {}, ["lattice"])) == {workflows(NEXT), bundle(N), bundle(NEXT)}
    assert N in builds.needed


def test_a_version_whose_code_is_gone_is_told_and_not_served() -> None:
    builds = replace(SETTLED, pinned=frozenset({f"howdah:{N}", "howdah:0.0.9-cccccccc"}))
    assert builds.stranded == {"howdah:0.0.9-cccccccc"}
    assert set(to_be_served(builds, {}, [])) == {workflows(N)}


def test_an_accepted_build_without_its_code_cannot_go_on_so_nothing_is_tried() -> None:
    builds = Builds(NEXT, N, frozenset({NEXT}))
    assert builds.serving == NEXT
    assert not builds.on_trial
