"""Statuses of a refund and the one table of legal moves between them (docs/state-machine.md)."""

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """What is asked of the gateway."""

    REFUND = "refund"
    VOID = "void"


class Status(StrEnum):
    """Where a refund stands."""

    AWAITING_APPROVAL = "awaiting_approval"
    HELD = "held"
    REQUESTED = "requested"
    ATTEMPTING = "attempting"
    SUBMITTED = "submitted"
    IN_DOUBT = "in_doubt"
    QUEUED = "queued"
    NEEDS_REVIEW = "needs_review"
    FAILED = "failed"
    REFUNDED = "refunded"
    VOIDED = "voided"
    REFUNDED_EXTERNALLY = "refunded_externally"
    CANCELLED = "cancelled"


class Wait(StrEnum):
    """What a queued refund waits for."""

    DAILY = "daily"
    OUTAGE = "outage"


class IllegalTransitionError(Exception):
    """A move that TRANSITIONS does not allow; nothing was changed."""

    def __init__(self, old: Status, new: Status) -> None:
        super().__init__(f"a refund cannot go from {old} to {new}")
        self.old = old
        self.new = new


_S = Status

TRANSITIONS: Mapping[Status, Mapping[Status, str]] = {
    _S.AWAITING_APPROVAL: {
        _S.REQUESTED: "approved",
        _S.CANCELLED: "refused or expired",
    },
    _S.HELD: {
        _S.REQUESTED: "released",
        _S.CANCELLED: "cancelled by an operator",
    },
    _S.REQUESTED: {
        _S.ATTEMPTING: "claimed by a worker",
        _S.QUEUED: "an outage before the first try",
        _S.NEEDS_REVIEW: "more was refunded than captured, broken sums, or ten lost leases in a row",
        _S.CANCELLED: "cancelled by an operator",
    },
    _S.ATTEMPTING: {
        _S.REFUNDED: "the gateway refunded it, or a look-up found it refunded",
        _S.VOIDED: "the gateway voided the payment",
        _S.SUBMITTED: "the gateway accepted it; final later",
        _S.QUEUED: "declined, unavailable, or the lease ran out before sending",
        _S.FAILED: "the last counted attempt was declined, or a try-now of a failed refund did not succeed",
        _S.IN_DOUBT: "the outcome is unknown, or the lease ran out after sending began",
        _S.REQUESTED: "the lease ran out before the first sending",
        _S.NEEDS_REVIEW: "a dispute, refunded elsewhere, or nobody can be asked",
    },
    _S.SUBMITTED: {
        _S.REFUNDED: "final at the gateway",
        _S.VOIDED: "final at the gateway",
        _S.QUEUED: "refused late by the gateway",
        _S.FAILED: "refused late by the gateway, and it was the last counted attempt",
        _S.NEEDS_REVIEW: "not final within the gateway's promised time",
    },
    _S.IN_DOUBT: {
        _S.REFUNDED: "a look-up found it refunded",
        _S.VOIDED: "a look-up found the payment voided",
        _S.SUBMITTED: "a look-up found it accepted",
        _S.QUEUED: "proven absent, or proven refused",
        _S.FAILED: "proven absent or refused, and it was the last counted attempt",
        _S.NEEDS_REVIEW: "nobody can tell",
    },
    _S.QUEUED: {
        _S.ATTEMPTING: "claimed by a worker, or tried now by an operator",
        _S.CANCELLED: "cancelled by an operator",
        _S.REFUNDED_EXTERNALLY: "marked by an operator",
        _S.NEEDS_REVIEW: "a dispute, refunded elsewhere, broken sums, or ten lost leases in a row",
        _S.REFUNDED: "a look-up found it refunded",
        _S.VOIDED: "a look-up found the payment voided",
    },
    _S.NEEDS_REVIEW: {
        _S.REFUNDED: "resolved by an operator, or found refunded late",
        _S.VOIDED: "resolved by an operator, or found voided late",
        _S.FAILED: "resolved by an operator",
        _S.QUEUED: "resolved by an operator: to be sent again",
        _S.CANCELLED: "resolved by an operator",
        _S.REFUNDED_EXTERNALLY: "resolved by an operator",
    },
    _S.FAILED: {
        _S.QUEUED: "started over by an operator: a new episode",
        _S.ATTEMPTING: "tried now by an operator",
        _S.REFUNDED_EXTERNALLY: "marked by an operator",
        _S.REFUNDED: "found refunded late; the alarm is withdrawn",
        _S.VOIDED: "found voided late; the alarm is withdrawn",
    },
    _S.REFUNDED: {
        _S.QUEUED: "the gateway took it back: a new episode",
        _S.NEEDS_REVIEW: "the gateway took it back and cannot take it again",
    },
    _S.VOIDED: {},
    _S.REFUNDED_EXTERNALLY: {
        _S.FAILED: "undone by an operator",
        _S.REFUNDED: "proof of a refund appeared: was it paid twice?",
        _S.VOIDED: "proof of a void appeared: was it paid as well?",
    },
    _S.CANCELLED: {
        _S.REFUNDED: "proof of a refund appeared",
        _S.VOIDED: "proof of a void appeared",
    },
}
"""Every legal move and what causes it. A status that is missing on the left can be left by nothing."""

RESERVING = frozenset(
    {
        _S.AWAITING_APPROVAL,
        _S.HELD,
        _S.REQUESTED,
        _S.ATTEMPTING,
        _S.SUBMITTED,
        _S.IN_DOUBT,
        _S.QUEUED,
        _S.NEEDS_REVIEW,
    },
)
"""Statuses in which the amount is reserved on the payment."""

OPEN = RESERVING
"""Statuses that still wait for something to happen by itself or by a person."""

CANCELLABLE = frozenset({_S.AWAITING_APPROVAL, _S.HELD, _S.REQUESTED, _S.QUEUED})
"""Statuses an operator may cancel from: surely not paid. A refund under review is resolved with evidence."""


def check_transition(old: Status, new: Status) -> None:
    """Let a legal move pass; raise IllegalTransitionError otherwise."""
    if new not in TRANSITIONS[old]:
        raise IllegalTransitionError(old, new)
