"""The judge: reads the bank's and the mailbox's books and compares them with what the database says."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import text

from refunds.domain.status import Status
from refunds.store.refunds import broken_sums
from tests.guarantees.simulation.requests import Shop
from tests.guarantees.simulation.world import World

FINAL = {Status.REFUNDED, Status.FAILED, Status.CANCELLED, Status.NEEDS_REVIEW}
NEVER_PAID = {Status.FAILED, Status.CANCELLED}


@dataclass(frozen=True, slots=True)
class Row:
    """One refund as the database has it."""

    id: str
    gateway: str
    transaction_id: str
    amount_minor: int
    currency: str
    status: Status
    attempts_counted: int
    behind: str | None
    """Status of the other refund that holds the payment's slot."""

    @property
    def at_rest(self) -> bool:
        """Final, or waiting behind a question that only a person can answer."""
        waits = self.status in {Status.REQUESTED, Status.QUEUED} and self.behind == Status.NEEDS_REVIEW
        return self.status in FINAL or waits


def rows_of(world: World) -> dict[str, Row]:
    """Every refund."""
    with world.database.read() as tx:
        rows = tx.execute(
            text(
                """SELECT r.id, r.gateway, p.transaction_id, r.amount_minor, r.currency, r.status,
                r.attempts_counted, holder.status AS behind FROM refunds r
                JOIN payments p ON p.id = r.payment_id
                LEFT JOIN refunds holder ON holder.id = p.slot AND holder.id <> r.id"""
            )
        )
        return {
            row.id: Row(
                id=row.id,
                gateway=row.gateway,
                transaction_id=row.transaction_id,
                amount_minor=row.amount_minor,
                currency=row.currency,
                status=Status(row.status),
                attempts_counted=row.attempts_counted,
                behind=row.behind,
            )
            for row in rows
        }


def money_breaches(world: World, shop: Shop) -> Iterator[str]:
    """G1, G2: what is lost, doubled, paid and not known, or known and not paid. After the quiet period."""
    rows = rows_of(world)
    for gateway, bank in world.banks.items():
        bank.desk.settle_down()
        yield from (f"{gateway}: {line}" for line in bank.ledger.breaches)
    for wanted in shop.acknowledged.values():
        row = rows.get(wanted.refund_id)
        if row is None:
            yield f"{wanted.refund_id} was acknowledged and is lost"
            continue
        if (row.transaction_id, row.amount_minor) != (wanted.transaction_id, wanted.amount_minor):
            yield f"{row.id} is not what was asked for"
        yield from _one(world, row)
    known = set(rows)
    for gateway, bank in world.banks.items():
        yield from (
            f"{gateway} paid {stray}, which nobody knows" for stray in set(bank.ledger.movements) - known
        )
    with world.database.read() as tx:
        yield from (f"payment {broken} has sums that do not add up" for broken in broken_sums(tx))
    ours: Counter[str] = Counter()
    for row in rows.values():
        paid_for_a_person = row.status is Status.NEEDS_REVIEW and world.banks[row.gateway].ledger.times_paid(
            row.id
        )
        if row.status is Status.REFUNDED or paid_for_a_person:
            ours[row.currency] += row.amount_minor
    theirs = sum((bank.ledger.total_minor() for bank in world.banks.values()), Counter[str]())
    if ours != theirs:
        yield f"the banks paid {dict(theirs)}, the database says {dict(ours)}"


def _one(world: World, row: Row) -> Iterator[str]:
    ledger = world.banks[row.gateway].ledger
    standing = ledger.standing(row.id)
    if len(standing) > 1:
        yield f"{row.id} stands as paid {len(standing)} times"
    for made in standing:
        if (made.amount_minor, made.currency, made.transaction_id) != (
            row.amount_minor,
            row.currency,
            row.transaction_id,
        ):
            yield f"{row.id}: {made.amount_minor} of {made.transaction_id} moved instead"
    if not row.at_rest:
        yield f"{row.id} is still {row.status}"
    if row.status is Status.REFUNDED and not standing:
        yield f"{row.id} is refunded and the bank paid nothing"
    if row.status in NEVER_PAID and standing:
        yield f"{row.id} is {row.status} and the bank paid it"


@dataclass(frozen=True, slots=True)
class Told:
    """One notice as the database recorded it."""

    id: str
    refund_id: str
    kind: str
    address: str
    status: str
    message_id: str | None


def notices_of(world: World) -> list[Told]:
    """Every notice."""
    with world.database.read() as tx:
        rows = tx.execute(text("SELECT id, refund_id, kind, address, status, message_id FROM notices"))
        return [Told(*row) for row in rows]


WHO_MUST_KNOW = {
    Status.FAILED: {"failed"},
    Status.NEEDS_REVIEW: {"outcome_unknown", "needs_review", "taken_back"},
}


def mail_breaches(world: World) -> Iterator[str]:
    """G5: an address that was not told of a failure or a question, and mails that nobody can account for."""
    mails: dict[tuple[str, str], set[str]] = defaultdict(set)
    times: Counter[str] = Counter()
    told_times: Counter[str] = Counter()
    for mail in world.mailbox.received:
        mails[mail.refund_id, mail.address].add(mail.event)
        times[mail.message_id] += 1
        told_times[mail.message_id] += mail.told
    for row in rows_of(world).values():
        events = WHO_MUST_KNOW.get(row.status)
        for address in world.wishes.notify_emails if events else ():
            if (row.id, address) in world.mailbox.refused_for_good:
                continue
            if not mails[row.id, address] & (events or set()):
                yield f"{address} was never told that {row.id} is {row.status}"
    recorded = {told.message_id: told for told in notices_of(world) if told.message_id}
    for message_id, number in times.items():
        if message_id not in recorded:
            yield f"{message_id} was accepted and is on no record"
        if told_times[message_id] > 1:
            yield f"{message_id} was accepted and acknowledged {told_times[message_id]} times of {number}"
