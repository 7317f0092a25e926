"""Quiet: faults stop, everything runs again, and days pass on the fast clock until nothing waits.

What runs on the real clock is brought forward in SQL, as if its minutes had passed: the breaker of a lane,
and the ten minutes' lease of a mail whose scheduler was killed. The safety rules know neither of the two.
"""

import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, text, update

from refunds.domain.status import Status
from refunds.store.database import DatabaseUnavailableError, clocks, offset, set_offset
from refunds.store.tables import lanes, notices, payments, refunds
from refunds.store.types import Instant
from tests.guarantees.processes.chaos import Diary
from tests.guarantees.processes.city import City

_LOOK_SECONDS = 0.1
_STEPS = (timedelta(minutes=2),) * 3 + (timedelta(minutes=20),) * 5 + (timedelta(hours=6),)
"""The clock moves at least so far, so that what falls due close together is done together."""


class StuckError(Exception):
    """Something is due and does not move though everything runs: work that is stuck."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is due or under way, and when the next falls due; what waits behind another refund is left out."""

    refunds: int
    mails: int
    leased: int
    next_at: datetime | None
    """The next refund."""
    mail_at: datetime | None
    """The next mail, which may be due already."""


def calm(city: City) -> None:
    """Faults stop and everything runs."""
    city.proxy.clear()
    city.sink.clear_faults()
    for resident in city.residents.values():
        with resident.held:
            resident.start()
    for resident in city.residents.values():
        if not resident.wait_until_ready():
            raise StuckError(f"{resident.name} does not come up: {resident.log.read_text('utf-8')[-2000:]}")


def open_lanes(city: City) -> None:
    """The minutes of every closed lane pass; its failures are forgotten."""
    try:
        with city.database.begin() as tx:
            tx.execute(update(lanes).where(lanes.c.failures > 0).values(failures=0, closed_until=None))
    except DatabaseUnavailableError:
        return


def settle(city: City, *, patience_seconds: float, mails: bool = False) -> bool:
    """Wait until nothing is due and nothing under way; False if nothing moves for that long."""
    pause, moved_at, before = threading.Event(), time.monotonic(), None
    while True:
        open_lanes(city)
        now = waiting(city)
        if not (now.refunds or now.leased or (mails and now.mails)):
            return True
        state = (now.refunds, now.leased, now.mails)
        if state != before:
            moved_at, before = time.monotonic(), state
        elif time.monotonic() - moved_at > patience_seconds:
            return False
        pause.wait(_LOOK_SECONDS)


def let_days_pass(city: City, diary: Diary, *, at_most: int = 400) -> None:
    """Until no refund and no mail waits; whoever is stuck raises StuckError, which is a breach."""
    brought_forward = False
    for jump in range(at_most):
        if not settle(city, patience_seconds=20):
            raise StuckError(f"due and not moving for 20 s: {waiting(city)}; {_stuck(city)}")
        now = waiting(city)
        if now.next_at is None and now.mail_at is None:
            return
        if now.next_at is None:
            if not brought_forward:
                _bring_mails_forward(city)
                brought_forward = True
            if not settle(city, patience_seconds=20, mails=True):
                raise StuckError(f"mails due and not moving for 20 s: {waiting(city)}")
            if waiting(city).mail_at is None:
                return
        move_clock(city, at_least=_STEPS[min(jump, len(_STEPS) - 1)])
        diary.note("clock_jumps", "")
    raise StuckError(f"something still waits after {at_most} jumps of the clock: {waiting(city)}")


def move_clock(city: City, *, at_least: timedelta) -> None:
    """To the next moment at which something falls due, the sandbox's clock first."""
    with city.database.read() as tx:
        now, ahead = clocks(tx)[1], offset(tx)
    seen = waiting(city)
    next_at = seen.next_at or seen.mail_at or now
    ahead += max(at_least, next_at - now) + timedelta(milliseconds=1)
    city.bank.set_clock(offset_seconds=ahead.total_seconds())
    with city.database.begin() as tx:
        set_offset(tx, ahead)


def waiting(city: City) -> Waiting:
    """As the database says."""
    with city.database.read() as tx:
        real, now = clocks(tx)
        ours = refunds.join(payments, payments.c.id == refunds.c.payment_id)
        due = and_(refunds.c.due_at <= now, ~_behind_another())
        number = select(func.count())
        return Waiting(
            refunds=tx.scalar(number.select_from(ours).where(or_(refunds.c.status == Status.ATTEMPTING, due)))
            or 0,
            mails=tx.scalar(number.select_from(notices).where(notices.c.due_at <= now)) or 0,
            leased=tx.scalar(number.select_from(refunds).where(refunds.c.lease_until > real)) or 0,
            next_at=tx.scalar(
                select(func.min(refunds.c.due_at, type_=Instant()))
                .select_from(ours)
                .where(refunds.c.due_at > now, ~_behind_another())
            ),
            mail_at=tx.scalar(select(func.min(notices.c.due_at, type_=Instant()))),
        )


def _behind_another() -> ColumnElement[bool]:
    """The slot of the payment is taken: these are claimed once whoever has it has come to an end."""
    return and_(
        refunds.c.status.in_([Status.REQUESTED, Status.QUEUED]),
        payments.c.slot.is_not(None),
        payments.c.slot != refunds.c.id,
    )


def _bring_mails_forward(city: City) -> None:
    """The ten minutes of leases whose holders are gone pass: schedulers give theirs back when they stop."""
    schedulers = city.of_role("scheduler")
    for resident in schedulers:
        resident.terminate()
    with city.database.begin() as tx:
        tx.execute(update(notices).where(notices.c.lease_until.is_not(None)).values(lease_until=None))
    for resident in schedulers:
        resident.start()


def _stuck(city: City) -> list[tuple[object, ...]]:
    with city.database.read() as tx:
        query = "SELECT id, status, gateway, due_at, lease_until, attempts FROM refunds"
        rows = tx.execute(text(f"{query} WHERE due_at IS NOT NULL OR status = 'attempting' LIMIT 5"))
        return [tuple(row) for row in rows]
