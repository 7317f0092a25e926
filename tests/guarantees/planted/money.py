"""Planted bugs about paying twice: keys, look-ups, leases, transactions, restored backups."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from refunds.domain import judge
from refunds.domain.abilities import Abilities
from refunds.domain.judge import Reservation, Standing, Verdict
from refunds.domain.outcome import Outcome
from refunds.domain.status import Status, Wait
from refunds.flow import attempt, errands, messages, pump
from refunds.flow.attempt import Attempted, Looked
from refunds.flow.claim import Claimer, Held
from refunds.flow.parts import Parts
from refunds.store import claims, payments, settlement
from refunds.store.claim import Claim
from refunds.store.database import DatabaseUnavailableError, Tx, clocks
from refunds.store.payments import Payment
from refunds.store.settled import Settled
from tests.guarantees.planted import trials
from tests.guarantees.planted.switch import Plant, swapped


def _sent_again(standing: Standing, _can: Abilities, *, now: datetime, why: str, **_: Any) -> Verdict:
    """An unknown outcome is taken for an outage."""
    return Verdict(
        Status.QUEUED, why, due_at=now + timedelta(seconds=15), wait=Wait.OUTAGE, new_key=True, deferrals=1
    )


def _releases(standing: Standing, can: Abilities, **rest: Any) -> Verdict:
    """An unknown outcome gives its reservation back."""
    return replace(_in_doubt(standing, can, **rest), reservation=Reservation.RELEASE)


_in_doubt = judge.in_doubt
_absent = judge._absent


def _at_once(standing: Standing, *, abilities: Abilities, now: datetime, **rest: Any) -> Verdict:
    """The first look-up that finds nothing proves absence."""
    seen_before = replace(standing, absent_at=now - abilities.settling)
    return _absent(seen_before, abilities=abilities, now=now, **rest)


def _first_day_only(parts: Parts, claimed: Claim) -> bool:
    """What is older than a day is not looked up any more."""
    young = claimed.claimed_at - claimed.created_at < timedelta(hours=20)
    return young and attempt.needs_look_up(parts, claimed)


def _only_later_tries(parts: Parts, claimed: Claim) -> bool:
    """A first attempt is never looked up, whatever backup came back."""
    return parts.gateways[claimed.gateway].gateway.abilities.look_up and claimed.number > 1


_update_refunds = settlement._update_refunds


def _unfenced(tx: Tx, group: Sequence[Settled], *, now: datetime) -> set[tuple[str, int]]:
    """Whoever settles has the lease."""
    for item in group:
        sql = "UPDATE refunds SET fence = :fence, status = :status WHERE id = :id"
        status = item.claim.status.value
        tx.execute(text(sql), {"fence": item.claim.fence, "status": status, "id": item.claim.refund_id})
    return _update_refunds(tx, group, now=now)


_pay = attempt.pay


async def _without_gate(parts: Parts, claimed: Claim, *, until: float) -> Attempted:
    """Nobody asks whether the lease still stands."""
    return await _pay(parts, claimed, until=until + 1e9)


_claim_due = claims.claim_due


def _short(tx: Tx, *, lease_until: datetime, **rest: Any) -> list[Claim]:
    return _claim_due(tx, lease_until=lease_until - timedelta(seconds=50), **rest)


_mark_sending = claims.mark_sending


def _marked_regardless(tx: Tx, these: Any, *, lease_beyond: datetime, **rest: Any) -> set[tuple[str, int]]:
    return _mark_sending(tx, these, lease_beyond=lease_beyond - timedelta(seconds=50), **rest)


def _deferred(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN DEFERRED")


async def _in_a_transaction(parts: Parts, claimed: Claim, *, until: float) -> Attempted:
    with parts.database.read():
        return await _pay(parts, claimed, until=until)


async def _once_more(parts: Parts, claimed: Claim, *, until: float) -> Attempted:
    """An actor that raises is run again by its broker."""
    first = await _pay(parts, claimed, until=until)
    return await _pay(parts, claimed, until=until) if first.answer.outcome is Outcome.UNKNOWN else first


def _unwritten(self: Claimer, looked: Sequence[Looked], *, none: bool) -> dict[str, Claim]:
    """What is about to be sent is not written down before."""
    with self.parts.database.read() as tx:
        now = clocks(tx)[1]
    return {item.claim.refund_id: item.claim.sent(now) for item in looked}


_take = messages._until_kept


def _at_the_first_try(keep: Any, *, stopping: Any) -> bool:
    """The message ends whether or not its refund is committed."""
    with suppress(DatabaseUnavailableError):
        keep()
    return True


_seen: dict[str, Payment] = {}


def _as_seen_first(tx: Tx, ids: Sequence[str]) -> dict[str, Payment]:
    """The balance is read before the lock, and believed after."""
    fresh = _lock(tx, ids)
    return {id_: _seen.setdefault(id_, payment) for id_, payment in fresh.items()}


_lock = payments.lock


def _knows_no_end(_self: Claimer, _claim: Claim, _now: datetime) -> bool:
    return True


def _never_handed_back(_self: Claimer, _unsent: Sequence[Claim]) -> None:
    """Claims that were not begun are left to their leases."""


def _lives_for_ever(_self: Held) -> float:
    return 1e12


PLANTS = (
    Plant(
        "new key per retry: the generation moves while the outcome is unknown",
        "G2",
        swapped((judge, "_key_is_over", lambda *_, **__: True)),
        trials.of(trials.LATE_BY_A_DAY),
    ),
    Plant(
        "retry on unknown",
        "G2",
        swapped((judge, "in_doubt", _sent_again)),
        trials.of("paid, and the answer timed out, with a key only"),
    ),
    Plant(
        "no look-up before a retry",
        "G6",
        swapped((pump, "needs_look_up", lambda *_: False)),
        trials.of("declined today, paid tomorrow"),
    ),
    Plant(
        "no look-up after 20 hours",
        "G6",
        swapped((pump, "needs_look_up", _first_day_only)),
        trials.of("declined today, paid tomorrow"),
    ),
    Plant(
        "one look-up taken as proof of absence",
        "G6",
        swapped((judge, "_absent", _at_once)),
        trials.of(trials.LAST_COMMITS_LATE),
    ),
    Plant(
        "a key is sent again after its life",
        "G2",
        swapped((Claimer, "_key_lives", _knows_no_end)),
        trials.of(trials.KEY_OVER),
    ),
    Plant(
        "no fence in settlement",
        "G8",
        swapped((settlement, "_update_refunds", _unfenced)),
        trials.of("a frozen worker brings its answer after its lease"),
    ),
    Plant(
        "the lease is not asked before sending",
        "G2",
        swapped((errands, "pay", _without_gate)),
        trials.of(trials.FROZEN_BEFORE_SENDING),
    ),
    Plant(
        "the lease is shorter than the call",
        "G8",
        swapped((claims, "claim_due", _short), (claims, "mark_sending", _marked_regardless)),
        trials.taken_from_the_living,
    ),
    Plant(
        "a call inside a transaction",
        "G2",
        swapped((errands, "pay", _in_a_transaction)),
        trials.of("a refund is accepted and paid"),
    ),
    Plant(
        "sent before it is written that it will be",
        "G2",
        swapped((Claimer, "mark_sending", _unwritten)),
        trials.struck(trials.PLAIN_D, trials.is_sending, side="after"),
    ),
    Plant(
        "Retries left on: the call is made again after a doubt",
        "G2",
        swapped((errands, "pay", _once_more)),
        trials.of(trials.TIMED_OUT_D),
    ),
    Plant(
        "the message is acknowledged before the commit",
        "G1",
        swapped((messages, "_until_kept", _at_the_first_try)),
        trials.struck("asked for by message", trials.is_commit, side="before", fails=True),
    ),
    Plant(
        "the balance is checked before the lock",
        "G3",
        swapped((payments, "lock", _as_seen_first)),
        trials.of("three partial refunds that ask for too much"),
    ),
    Plant(
        "the reservation is given back on a time-out",
        "G3",
        swapped((judge, "in_doubt", _releases)),
        trials.of(trials.TWO_OF_ONE),
    ),
    Plant(
        "a restored backup is not looked up",
        "G17",
        swapped((pump, "needs_look_up", _only_later_tries)),
        trials.restored,
    ),
    Plant(
        "SIGTERM: what was not begun is not handed back",
        "G8",
        swapped((Claimer, "hand_back", _never_handed_back)),
        trials.stopped,
    ),
)
