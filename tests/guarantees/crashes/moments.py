"""What falls due when, read from the rows: for a look of the pumps, a sweep, or a mail."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from refunds.domain.status import Status
from refunds.store import tables
from refunds.store.database import Tx

_WAITING = {Status.REQUESTED, Status.QUEUED, Status.FAILED, Status.IN_DOUBT, Status.SUBMITTED}


@dataclass(frozen=True, slots=True)
class Due:
    """Moments in order; those of looks may have passed and be blocked by something else."""

    looks: list[datetime]
    sweep: datetime | None
    mail: datetime | None

    def after(self, now: datetime) -> list[datetime]:
        """Those to come."""
        ours = [*self.looks, *(at for at in (self.sweep, self.mail) if at is not None)]
        return [at for at in ours if at >= now]


def due_in(tx: Tx) -> Due:
    """Read them."""
    refunds, notices, lanes = tables.refunds.c, tables.notices.c, tables.lanes.c
    looks: list[datetime] = []
    sweeps: list[datetime] = []
    for status, due_at, watch_at, lease_until in tx.execute(
        select(refunds.status, refunds.due_at, refunds.watch_at, refunds.lease_until)
    ):
        if status == Status.ATTEMPTING:
            sweeps += [lease_until] if lease_until else []
            continue
        at = due_at if status in _WAITING and due_at else watch_at
        if at is not None:
            looks.append(max(at, lease_until) if lease_until else at)
    mails = [
        max(due_at, lease_until) if lease_until else due_at
        for due_at, lease_until in tx.execute(
            select(notices.due_at, notices.lease_until).where(notices.due_at.is_not(None))
        )
    ]
    looks += [row[0] for row in tx.execute(select(lanes.closed_until).where(lanes.closed_until.is_not(None)))]
    return Due(sorted(looks), min(sweeps, default=None), min(mails, default=None))
