"""Lanes: one gateway of one account. Breaker and pauses are rows, shared by all workers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, text

from refunds.store import tables
from refunds.store.database import Tx, insert_or_skip
from refunds.store.statement import read, run

EVERY_GATEWAY = "*"
"""Names all gateways at once, those included that nobody has named yet."""

REOPENED = 64
"""Calls at once in each process at which a lane that opens again counts as open."""


@dataclass(frozen=True, slots=True)
class Lane:
    """State of a lane. Closed by trouble (`closed_until`, real clock), paused by a person, or open."""

    account: str
    gateway: str
    failures: int
    closed_until: datetime | None
    reopening: int | None
    """So many calls at once in each process, while it opens again; None: as many as it has places."""
    paused: bool

    @property
    def is_open(self) -> bool:
        """Whether new attempts may begin."""
        return not self.paused and self.closed_until is None

    def may_be_probed(self, real: datetime) -> bool:
        """Whether it is closed, and a probe is due."""
        return self.closed_until is not None and self.closed_until <= real


def ensure(tx: Tx, account: str, gateway: str) -> None:
    """Make the lane exist."""
    tx.execute(
        text("INSERT INTO lanes (account, gateway) VALUES (:account, :gateway) ON CONFLICT DO NOTHING"),
        {"account": account, "gateway": gateway},
    )


_LANE = """SELECT account, gateway, failures, closed_until, reopening,
    EXISTS (SELECT 1 FROM pauses WHERE pauses.gateway IN (lanes.gateway, '*')) AS paused FROM lanes"""

OPEN = """NOT EXISTS (SELECT 1 FROM pauses WHERE pauses.gateway IN (refunds.gateway, '*'))
    AND NOT EXISTS (SELECT 1 FROM lanes WHERE lanes.account = refunds.account
                    AND lanes.gateway = refunds.gateway AND lanes.closed_until IS NOT NULL)"""
"""The condition, inside a statement about `refunds`, that the lane of each is open."""


def get(tx: Tx, account: str, gateway: str) -> Lane | None:
    """One lane, or None."""
    one = f"{_LANE} WHERE account = :account AND gateway = :gateway"
    row = read(tx, one, ("closed_until",), {"account": account, "gateway": gateway}).one_or_none()
    return None if row is None else _lane(row)


def get_all(tx: Tx) -> list[Lane]:
    """Every lane."""
    return [_lane(row) for row in read(tx, f"{_LANE} ORDER BY account, gateway", ("closed_until",), {})]


def with_due_work(tx: Tx, *, real: datetime, now: datetime) -> list[tuple[str, str]]:
    """Lanes that have something due and are open, or may be probed; by the partial indexes alone."""
    refunds = tables.refunds
    due: list[tuple[str, str]] = []
    for lane in get_all(tx):
        if not (lane.is_open or (lane.may_be_probed(real) and not lane.paused)):
            continue
        here = select(refunds.c.id).where(
            refunds.c.account == lane.account, refunds.c.gateway == lane.gateway
        )
        waiting = (
            here.where(refunds.c.status.in_(("requested", "queued", "failed", "in_doubt", "submitted")))
            .where(refunds.c.due_at <= now)
            .limit(1)
        )
        watched = here.where(refunds.c.watch_at <= now).limit(1)
        if tx.execute(waiting).first() or tx.execute(watched).first():
            due.append((lane.account, lane.gateway))
    return due


def count_trouble(tx: Tx, account: str, gateway: str, *, bad: int) -> None:
    """So many more outages or unknowns in a row."""
    sql = f"UPDATE lanes SET failures = failures + :bad WHERE {_THIS}"
    run(tx, sql, {"account": account, "gateway": gateway, "bad": bad})


def forget_trouble(tx: Tx, account: str, gateway: str) -> None:
    """An open lane went well. One that is opening again lets in twice as many, and is whole at REOPENED."""
    sql = f"""UPDATE lanes SET
            failures = CASE WHEN reopening * 2 < :whole THEN failures ELSE 0 END,
            reopening = CASE WHEN reopening * 2 < :whole THEN reopening * 2 END
        WHERE {_THIS} AND closed_until IS NULL AND (failures > 0 OR reopening IS NOT NULL)"""
    run(tx, sql, {"account": account, "gateway": gateway, "whole": REOPENED})


def close(tx: Tx, account: str, gateway: str, *, until: datetime) -> None:
    """Shut a lane: no attempt begins before a probe has gone well, and none is made before `until`."""
    sql = f"UPDATE lanes SET closed_until = :until, reopening = NULL WHERE {_THIS}"
    run(tx, sql, {"account": account, "gateway": gateway}, until=until)


def take_probe(tx: Tx, account: str, gateway: str, *, real: datetime, until: datetime) -> bool:
    """Take the one probe of a closed lane that is due; no other is made before `until`, by whomever."""
    sql = f"UPDATE lanes SET closed_until = :until WHERE {_THIS} AND closed_until <= :real RETURNING gateway"
    taken = run(tx, sql, {"account": account, "gateway": gateway}, real=real, until=until)
    return taken.first() is not None


def reopen(tx: Tx, account: str, gateway: str) -> None:
    """A probe went well: the lane opens, with one call at a time in each process."""
    sql = f"UPDATE lanes SET closed_until = NULL, reopening = 1 WHERE {_THIS} AND closed_until IS NOT NULL"
    run(tx, sql, {"account": account, "gateway": gateway})


_THIS = "account = :account AND gateway = :gateway"


@dataclass(frozen=True, slots=True)
class Pause:
    """Who stopped a gateway (or `*`, all of them), when and why."""

    gateway: str
    by: str
    reason: str
    at: datetime


def pause(tx: Tx, gateway: str, *, by: str, reason: str, real: datetime) -> bool:
    """Let no attempt begin at this gateway, in any account; what waits, waits. False: it was so before."""
    pauses = tables.pauses
    row = {"gateway": gateway, "by": by, "reason": reason, "at": real}
    return tx.execute(insert_or_skip(tx, pauses).returning(pauses.c.gateway), [row]).first() is not None


def resume(tx: Tx, gateway: str) -> bool:
    """Let attempts begin again. False: it was not paused."""
    pauses = tables.pauses
    return tx.execute(delete(pauses).where(pauses.c.gateway == gateway)).rowcount > 0


def get_pauses(tx: Tx) -> list[Pause]:
    """Every pause there is."""
    pauses = tables.pauses
    return [
        Pause(row.gateway, row.by, row.reason, row.at)
        for row in tx.execute(select(pauses).order_by(pauses.c.gateway))
    ]


def _lane(row: Any) -> Lane:
    return Lane(
        account=row.account,
        gateway=row.gateway,
        failures=row.failures,
        closed_until=row.closed_until,
        reopening=row.reopening,
        paused=bool(row.paused),
    )
