"""What is mutated, and the tests that each mutant has to survive, the likeliest to kill it first."""

from collections.abc import Mapping, Sequence


def _domain(*own: str) -> tuple[tuple[str, ...], ...]:
    """The tests of one rule first, then those of all the others."""
    names = ("judge", "look_up", "watch", "limits", "balance", "deferral", "status", "text", "money")
    others = [name for name in (*names, "clock_changes", "schedule") if name not in own]
    return _files(own), _files(others)


def _files(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"tests/domain/test_{name}.py" for name in names)


_CLAIMS = ("tests/store/test_claims.py", "tests/store/test_look_up_claims.py", "tests/store/test_fence.py")
_BOOKS = ("tests/store/test_booked_row.py", "tests/store/test_settlement.py", "tests/store/test_fence.py")
_LIVES = (
    "tests/guarantees/simulation/test_world.py",
    "tests/guarantees/machine/test_machine.py::test_whatever_happens_next_every_rule_holds",
)
_OUTCOMES = ("tests/flow/test_outcomes.py", "tests/flow/test_watch.py")

TARGETS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "refunds/domain/abilities.py": _domain("abilities"),
    "refunds/domain/balance.py": _domain("balance"),
    "refunds/domain/judge.py": _domain("judge", "look_up", "reasons_told", "limits"),
    "refunds/domain/money.py": _domain("money"),
    "refunds/domain/outcome.py": _domain("outcome", "judge"),
    "refunds/domain/schedule.py": _domain(
        "deferral", "promised_times", "long_unpaid", "schedule", "clock_changes"
    ),
    "refunds/domain/status.py": (("tests/docs/test_state_machine.py",), *_domain("status")),
    "refunds/domain/text.py": _domain("text"),
    "refunds/domain/watch.py": _domain("watch", "promised_times"),
    "refunds/store/claims.py": (_CLAIMS, _LIVES, ("tests/flow/test_lanes.py", *_OUTCOMES)),
    "refunds/store/leases.py": (
        ("tests/store/test_fence.py", "tests/store/test_claims.py"),
        _LIVES,
        _OUTCOMES,
    ),
    "refunds/store/settlement.py": (_BOOKS, _LIVES, _OUTCOMES),
    "refunds/store/sums.py": (_BOOKS, _LIVES, _OUTCOMES),
    "refunds/flow/attempt.py": (
        _LIVES,
        ("tests/flow/test_restore.py", "tests/flow/test_grades.py", *_OUTCOMES),
        ("tests/flow/test_hunted.py", "tests/flow/test_lessons.py"),
    ),
    "refunds/flow/claim.py": (
        _LIVES,
        ("tests/flow/test_pump_places.py", "tests/flow/test_lanes.py", "tests/flow/test_pump.py"),
        ("tests/flow/test_grades.py", "tests/flow/test_hunted.py"),
    ),
    "refunds/flow/resolve.py": (_LIVES, ("tests/flow/test_grades.py", *_OUTCOMES)),
    "refunds/flow/settle.py": (
        _LIVES,
        _OUTCOMES,
        ("tests/flow/test_hunted_losses.py", "tests/flow/test_restore.py", "tests/flow/test_audit.py"),
    ),
}
"""Path: stages of tests. A mutant survives that passes every stage."""

UNCHANGED = ("refunds/domain/card.py", "refunds/domain/card_data.py", "refunds/domain/redaction.py")
"""Tables and patterns of what looks like card data: proved by generated numbers, not by mutants."""
