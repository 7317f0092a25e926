"""A guarantee passes only if nothing broke and enough was seen; the page says what the last run saw."""

import json

import pytest

from tests.guarantees.figures import Part, Tally
from tests.guarantees.page import written
from tests.guarantees.promises import PROMISES, REACHED, WITH_PROCESSES, Promise
from tests.guarantees.run import PAGE, RESULTS
from tests.guarantees.verdict import reach, verdicts

SEED = 7


def _seen(promise: Promise, *, share: int = 1) -> Part:
    counts = {name: least // share for name, least in promise.seen.items()}
    return Part(promise.name, "simulation", SEED, counts | dict.fromkeys(promise.never, 0))


def test_every_guarantee_passes_that_saw_enough_and_broke_nothing() -> None:
    judged = verdicts([_seen(promise) for promise in PROMISES], quick=False)

    assert [(each.name, each.passed) for each in judged] == [(each.name, True) for each in PROMISES]
    assert judged[0].line == (
        "G1 PASS Accepted is kept: 20,000 acknowledged, 1,000 kills, 200 postgres stops, 0 lost (seed 7)"
    )


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.name)
def test_a_guarantee_that_saw_a_little_less_than_enough_fails(promise: Promise) -> None:
    for name, least in promise.seen.items():
        part = _seen(promise)
        short = Part(part.guarantee, part.layer, part.seed, {**part.counts, name: least - 1})
        [judged] = [each for each in verdicts([short], quick=False) if each.name == promise.name]
        assert judged.faults == (f"only {least - 1:,} of {least:,} {name} seen",)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.name)
def test_one_breach_and_one_count_of_what_must_never_be_fail_it(promise: Promise) -> None:
    part = _seen(promise)
    broken = Part(part.guarantee, part.layer, part.seed, part.counts, ("rf_1 was paid twice",))
    counted = Part(part.guarantee, part.layer, part.seed, {**part.counts, promise.never[0]: 1})

    for faulty, fault in ((broken, "rf_1 was paid twice"), (counted, f"1 {promise.never[0]}")):
        [judged] = [each for each in verdicts([faulty], quick=False) if each.name == promise.name]
        assert judged.faults == (fault,)
        assert judged.line.startswith(f"{promise.name} FAIL")


def test_a_run_that_saw_nothing_passes_nothing() -> None:
    assert not any(each.passed for each in verdicts([], quick=True))
    assert len(reach([], quick=True)) == len(REACHED) + len(WITH_PROCESSES)


def test_a_quick_run_has_to_see_a_tenth() -> None:
    parts = [_seen(promise, share=10) for promise in PROMISES]

    assert all(each.passed for each in verdicts(parts, quick=True))
    assert not any(each.passed for each in verdicts(parts, quick=False))


def test_figures_are_told_by_layer() -> None:
    simulation, processes = Tally("simulation", 1), Tally("processes", 2)
    simulation.count("G2", refunds=59_000, faults_after_the_money_moved=20_000, doubled=0)
    processes.count("G2", refunds=1_000, doubled=0)

    [judged] = [
        each for each in verdicts([*simulation.parts(), *processes.parts()], quick=False) if each.name == "G2"
    ]

    assert judged.passed
    assert "60,000 refunds (simulation 59,000, processes 1,000)" in judged.line
    assert "0 doubled" in judged.line


def test_a_kill_that_counts_for_two_guarantees_is_one_kill() -> None:
    tally = Tally("processes", 1)
    for guarantee in ("G1", "G8"):
        tally.count(guarantee, kills=100, freezes=50, sigterms=30, postgres_stops=20, flushes=30)

    assert "only 100 of 150 kills with real processes" in reach(tally.parts(), quick=False)


def test_the_page_says_what_its_run_found() -> None:
    result = json.loads(RESULTS.read_text("utf-8"))

    assert PAGE.read_text("utf-8") == written(result)
    assert [each["name"] for each in result["guarantees"]] == [promise.name for promise in PROMISES]
