"""The one table of legal moves."""

from itertools import product

import pytest

from refunds.domain.status import (
    CANCELLABLE,
    OPEN,
    RESERVING,
    TRANSITIONS,
    IllegalTransitionError,
    Status,
    check_transition,
)

_MOVING = {Status.ATTEMPTING, Status.SUBMITTED, Status.IN_DOUBT}
"""Statuses in which the money may be moving at this moment."""

_NEW = {Status.REQUESTED, Status.HELD, Status.AWAITING_APPROVAL}
"""Statuses in which a refund begins."""


@pytest.mark.parametrize(("old", "new"), list(product(Status, Status)))
def test_a_move_passes_exactly_when_the_table_holds_it(old: Status, new: Status) -> None:
    if new in TRANSITIONS[old]:
        check_transition(old, new)
        assert TRANSITIONS[old][new], "a move has a cause"
    else:
        with pytest.raises(IllegalTransitionError, match=f"from {old} to {new}") as refused:
            check_transition(old, new)
        assert (refused.value.old, refused.value.new) == (old, new)


def test_every_status_has_its_line_and_none_moves_to_itself() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert not [status for status in Status if status in TRANSITIONS[status]]


def test_every_status_can_be_reached_from_a_new_refund() -> None:
    reached = set(_NEW)
    while more := {new for old in reached for new in TRANSITIONS[old]} - reached:
        reached |= more

    assert reached == set(Status)


def test_no_refund_becomes_new_again_but_by_approval_release_or_an_expired_lease() -> None:
    into_new = {old for old in Status for new in TRANSITIONS[old] if new in _NEW}

    assert into_new == {Status.AWAITING_APPROVAL, Status.HELD, Status.ATTEMPTING}


def test_only_settled_refunds_give_their_reservation_back() -> None:
    settled = {
        Status.FAILED,
        Status.REFUNDED,
        Status.VOIDED,
        Status.REFUNDED_EXTERNALLY,
        Status.CANCELLED,
    }

    assert set(Status) - settled == RESERVING == OPEN


def test_a_refund_can_be_cancelled_only_while_it_is_surely_unpaid_and_else_resolved() -> None:
    ways = {old for old in Status if Status.CANCELLED in TRANSITIONS[old]}
    assert ways == CANCELLABLE | {Status.NEEDS_REVIEW}
    assert Status.NEEDS_REVIEW not in CANCELLABLE


def test_nobody_cancels_marks_or_tries_while_the_money_may_be_moving() -> None:
    for old in _MOVING:
        by_hand = {Status.CANCELLED, Status.REFUNDED_EXTERNALLY, Status.ATTEMPTING}
        assert not by_hand & set(TRANSITIONS[old])


def test_money_that_may_be_moving_can_always_turn_out_paid_or_go_to_a_person() -> None:
    for old in _MOVING:
        assert {Status.REFUNDED, Status.VOIDED, Status.NEEDS_REVIEW} <= set(TRANSITIONS[old])


def test_wherever_proof_of_a_refund_is_taken_proof_of_a_void_is_taken_too() -> None:
    refundable = {old for old in Status if Status.REFUNDED in TRANSITIONS[old]}

    assert refundable == {old for old in Status if Status.VOIDED in TRANSITIONS[old]}


def test_only_a_voided_payment_is_the_end_of_every_way() -> None:
    assert {status for status in Status if not TRANSITIONS[status]} == {Status.VOIDED}
