"""Decide: what a person says became of a refund, where nobody else can tell; and starting over.

Each decision is one line of history with who and why, committed with all that it moves.
"""

from collections.abc import Mapping
from typing import Any

from refunds.domain.schedule import next_run
from refunds.domain.status import Kind, Status, Wait
from refunds.flow.operate import again, refused, reserve_again, unknown
from refunds.flow.parts import Parts
from refunds.flow.refusal import Cause, Refusal
from refunds.store import accounts, moves, payments, refunds
from refunds.store.accounts import Account
from refunds.store.database import Tx, now
from refunds.store.refunds import Refund

ENDS: Mapping[Status, tuple[int, int, int]] = {
    Status.REFUNDED: (-1, 1, 0),
    Status.VOIDED: (-1, 1, 0),
    Status.FAILED: (-1, 0, 0),
    Status.CANCELLED: (-1, 0, 0),
    Status.REFUNDED_EXTERNALLY: (-1, 0, 1),
    Status.QUEUED: (0, 0, 0),
}
"""What a person may decide, and how often the amount is then added to reserved, refunded and external."""

PROVED = frozenset({Status.REFUNDED, Status.VOIDED, Status.REFUNDED_EXTERNALLY})
"""Decisions that need a reference by which the money can be found."""


def resolve_as(
    parts: Parts, refund_id: str, *, new: Status, actor: str, reason: str, reference: str | None = None
) -> Refund | Refusal:
    """Settle a refund that waits for a person. Paid ends need the reference at the gateway or bank.

    `queued` has it sent again under a new key, whatever the gateway may make of the old one: the history
    keeps whose word that was. It looks up first wherever there is a look-up. Every other end is watched: a
    later proof of the gateway stands above a person's word, and is told.
    """
    if new not in ENDS:
        wanted = ", ".join(sorted(ENDS))
        return Refusal.of(Cause.INVALID, "/as", f"must be one of {wanted}")
    if (reference is not None) != (new in PROVED):
        detail = "a reference is needed for what was paid"
        if new not in PROVED:
            detail = "a reference has no place where nothing was paid"
        return Refusal.of(Cause.INVALID, "/reference", detail)
    with parts.database.begin() as tx:
        refund = refunds.get(tx, refund_id, lock=True)
        if refund is None:
            return unknown(refund_id)
        if refund.status is not Status.NEEDS_REVIEW:
            return refused(refund, "resolved")
        if new not in _fitting(refund.kind):
            return Refusal.of(Cause.INVALID, "/as", f"a {refund.kind.value} cannot be {new.value}")
        if new is Status.QUEUED and payments.over_captured(tx, [refund.payment_id]):
            detail = "more than was captured has left this payment"
            return Refusal.of(Cause.EXCEEDS_REMAINING, "/as", detail)
        values: dict[str, Any] = {"extra": False, "waiting_since": None, "absent_at": None, "look_ups": 0}
        if new is Status.QUEUED:
            values |= _sent_again(tx, refund)
        else:
            values |= {"gateway_reference": reference or refund.gateway_reference}
            if new in PROVED:  # what became of our own key says nothing about what this person found
                values |= {"generation": refund.generation + 1, "key_sent_at": None}
            values |= parts.watch_from(refund.gateway, now(tx))
        why = f"resolved as {new.value}{f' ({reference})' if reference else ''}: {reason}"
        moves.move(tx, refund, new=new, actor=actor, why=why, now=now(tx), values=values)
        reserved, refunded, external = ENDS[new]
        moves.shift(tx, refund, reserved=reserved, refunded=refunded, external=external)
    parts.wakeup.ring(refund.account, refund.gateway)
    return again(parts, refund_id)


def start_over(parts: Parts, refund_id: str, *, actor: str, reason: str) -> Refund | Refusal:
    """Give a failed refund a new episode: its amount is reserved again, and it has all its tries anew.

    The first is due at once, or at the next run hour where it was tried today.
    """
    with parts.database.begin() as tx:
        refund = refunds.get(tx, refund_id, lock=True)
        if refund is None:
            return unknown(refund_id)
        if refund.status is not Status.FAILED or refund.extra:
            return refused(refund, "started over")
        impossible = reserve_again(tx, refund)
        if impossible is not None:
            return impossible
        values = _new_episode(tx, refund, _account(tx, refund))
        moves.move(
            tx,
            refund,
            new=Status.QUEUED,
            actor=actor,
            why=f"started over: {reason}",
            now=now(tx),
            values=values,
        )
    parts.wakeup.ring(refund.account, refund.gateway)
    return again(parts, refund_id)


def _fitting(kind: Kind) -> set[Status]:
    paid = {Status.VOIDED} if kind is Kind.VOID else {Status.REFUNDED, Status.REFUNDED_EXTERNALLY}
    return {*paid, Status.FAILED, Status.CANCELLED, Status.QUEUED}


def _sent_again(tx: Tx, refund: Refund) -> dict[str, Any]:
    """Under a new key, on its old schedule while that has places left, else on a new one."""
    account = _account(tx, refund)
    anew = {
        "generation": refund.generation + 1,
        "key_sent_at": None,
        "look_first": False,
        "lost_leases": 0,
    }
    if refund.attempts_counted >= account.policy.most_counted:
        return anew | _new_episode(tx, refund, account)
    return anew | {"wait": Wait.DAILY, "due_at": _due(tx, refund, account)}


def _new_episode(tx: Tx, refund: Refund, account: Account) -> dict[str, Any]:
    """The last counted try of the old one stays known: a try now must not bring a second one to its date."""
    return {
        "episode": refund.episode + 1,
        "attempts_counted": 0,
        "deferrals": 0,
        "told_at": None,
        "wait": Wait.DAILY,
        "due_at": _due(tx, refund, account),
    }


def _due(tx: Tx, refund: Refund, account: Account) -> Any:
    """Never twice on one local date."""
    at = now(tx)
    return at if refund.last_counted_at is None else next_run(refund.last_counted_at, account.policy, at)


def _account(tx: Tx, refund: Refund) -> Account:
    account = accounts.get(tx, refund.account)
    if account is None:  # foreign keys forbid it
        raise LookupError(f"refund {refund.id} has no account")
    return account
