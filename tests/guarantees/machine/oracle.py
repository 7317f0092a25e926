"""What must be so after every step, by the bank's own books and by the rows."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, text

from refunds.domain.outcome import Finding, Outcome
from refunds.domain.schedule import local_date
from refunds.domain.status import TRANSITIONS, Status
from refunds.store import tables
from refunds.store.database import Tx
from refunds.store.refunds import broken_sums
from tests.guarantees.machine.life import Life
from tests.guarantees.machine.place import ZONE

MOST_COUNTED = 4
SURELY_UNPAID = {Status.CANCELLED, Status.FAILED}
BAD_NEWS = ("settle.group_broken", "settle.refund_broken", "settle.refund_left", "notice.not_told")


@dataclass(slots=True)
class Oracle:
    """Remembers what it saw before."""

    life: Life
    _commits: int = -1
    _line: int = 0
    _statuses: dict[str, str] = field(default_factory=dict)
    _generations: dict[str, int] = field(default_factory=dict)

    def breaches(self) -> Iterator[str]:
        """All that is wrong now."""
        life = self.life
        life.bank.desk.settle_down()
        yield from life.bank.ledger.breaches
        yield from life.world.breaches
        if life.commits == self._commits:  # no row has changed
            return
        self._commits = life.commits
        with life.world.database.read() as tx:
            rows = _rows(tx)
            yield from (f"payment {broken} has sums that do not add up" for broken in broken_sums(tx))
            yield from self._history(tx)
            yield from self._keys(tx, rows)
            yield from _counted(tx)
        yield from _in_flight(rows)
        yield from self._money(rows)
        life.forced.clear()

    def _history(self, tx: Tx) -> Iterator[str]:
        history = tables.history
        seen = tx.execute(select(history).where(history.c.id > self._line).order_by(history.c.id))
        for row in seen:
            self._line = row.id
            before = self._statuses.get(row.refund_id)
            if row.old != before:
                yield f"{row.refund_id} was {before} and left {row.old} for {row.new}"
            moved = row.old is not None and row.old != row.new
            if moved and Status(row.new) not in TRANSITIONS[Status(row.old)]:
                yield f"{row.refund_id} went from {row.old} to {row.new}: {row.why}"
            self._statuses[row.refund_id] = row.new

    def _keys(self, tx: Tx, rows: list[Any]) -> Iterator[str]:
        """A new key only after an answer, or where absence is proven and the old key is over."""
        for row in rows:
            before = self._generations.get(row.id, row.generation)
            self._generations[row.id] = row.generation
            if row.generation == before or row.id in self.life.forced:
                continue
            standing = {made.key for made in self.life.bank.ledger.standing(row.id)}
            for old in range(before, row.generation):
                key = f"{row.id}-{old}"
                if key in standing:
                    yield f"{row.id} got a new key although the bank paid by an old one"
                elif not self._answered(tx, row.id, key):
                    yield f"{row.id} got a new key although its outcome is not known"

    def _answered(self, tx: Tx, refund_id: str, key: str) -> bool:
        attempts, look_ups = tables.attempts, tables.look_ups
        tries = tx.execute(
            select(attempts).where(attempts.c.refund_id == refund_id, attempts.c.key == key)
        ).all()
        if any(row.outcome == Outcome.DECLINED for row in tries):
            return True
        begun = min(row.claimed_at for row in tries)
        found = tx.execute(
            select(look_ups.c.finding, look_ups.c.at).where(
                look_ups.c.refund_id == refund_id, look_ups.c.at >= begun
            )
        ).all()
        sent_at = max((row.sending_at for row in tries if row.sending_at), default=None)
        return any(
            row.finding == Finding.DECLINED
            or (row.finding == Finding.ABSENT and self._key_is_over(sent_at, row.at))
            for row in found
        )

    def _key_is_over(self, sent_at: datetime | None, at: datetime) -> bool:
        life = self.life.bank.abilities.key_life
        return life is None or sent_at is None or at >= sent_at + life

    def _money(self, rows: list[Any]) -> Iterator[str]:
        for row in rows:
            if row.id not in self.life.decided:
                paid = self.life.bank.ledger.times_paid(row.id)
                if row.status in SURELY_UNPAID and paid and not row.extra:
                    yield f"{row.id} is {row.status} and the bank paid it"
                returned = any(made.state == "taken_back" for made in self.life.bank.ledger.movements[row.id])
                if row.status in {Status.REFUNDED, Status.VOIDED} and not paid and not returned:
                    yield f"{row.id} is {row.status} and the bank paid nothing"


def _rows(tx: Tx) -> list[Any]:
    columns = "id, payment_id, status, generation, extra"
    return list(tx.execute(text(f"SELECT {columns} FROM refunds ORDER BY id")))


def _in_flight(rows: list[Any]) -> Iterator[str]:
    flying = Counter(row.payment_id for row in rows if row.status in {Status.ATTEMPTING, Status.IN_DOUBT})
    yield from (
        f"payment {id_} has {number} refunds in flight" for id_, number in flying.items() if number > 1
    )


def _counted(tx: Tx) -> Iterator[str]:
    attempts = tables.attempts
    counted = tx.execute(
        select(attempts.c.refund_id, attempts.c.episode, attempts.c.counted_number, attempts.c.claimed_at)
        .where(attempts.c.counted_number.is_not(None))
        .order_by(attempts.c.refund_id, attempts.c.number)
    )
    dates: dict[str, list[date]] = defaultdict(list)
    for row in counted:
        dates[row.refund_id].append(local_date(row.claimed_at, ZONE))
        if row.counted_number > MOST_COUNTED:
            yield f"{row.refund_id} was tried {row.counted_number} times in episode {row.episode}"
    for refund_id, days in dates.items():
        if len(set(days)) < len(days):
            yield f"{refund_id} used up two tries on one local date of {sorted(days)}"
