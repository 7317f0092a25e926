"""The judge of one life: compares the bank's and the mailbox's books with what the database says.

Every breach is (guarantee, words). What people decided on their own word is left to them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from refunds.domain.outcome import Finding, Outcome
from refunds.domain.status import Kind, Status
from refunds.store import tables
from refunds.store.refunds import broken_sums
from tests.guarantees.crashes.acts import BANK
from tests.guarantees.crashes.stage import Stage
from tests.guarantees.simulation.ledger import Asked

Breach = tuple[str, str]

ENDS = {
    Status.REFUNDED,
    Status.VOIDED,
    Status.FAILED,
    Status.CANCELLED,
    Status.NEEDS_REVIEW,
    Status.REFUNDED_EXTERNALLY,
}
PAID = {Status.REFUNDED, Status.VOIDED}
UNPAID = {Status.FAILED, Status.CANCELLED, Status.REFUNDED_EXTERNALLY}
MOST_COUNTED = 4
ALARMS = {
    Status.FAILED: {"failed"},
    Status.NEEDS_REVIEW: {"outcome_unknown", "needs_review", "taken_back"},
}

Row = dict[str, Any]


def judge(stage: Stage, *, zone: str = "UTC") -> list[Breach]:
    """All breaches of a life that has come to rest."""
    bank = stage.banks[BANK]
    bank.desk.settle_down()
    with stage.wire.muted(), stage.database.read() as tx:
        rows = {row["id"]: dict(row) for row in tx.execute(select(tables.refunds)).mappings()}
        payments = {row["id"]: dict(row) for row in tx.execute(select(tables.payments)).mappings()}
        attempts: dict[str, list[Row]] = defaultdict(list)
        for each in tx.execute(select(tables.attempts).order_by(tables.attempts.c.number)).mappings():
            attempts[each["refund_id"]].append(dict(each))
        notices = [dict(row) for row in tx.execute(select(tables.notices)).mappings()]
        parked = tx.execute(select(tables.parked.c.raw)).scalars().all()
        spoilt = {row["transaction_id"] for row in payments.values() if row["id"] in broken_sums(tx)}
    found: list[Breach] = [_of_line(line) for line in (*stage.breaches, *bank.ledger.breaches)]
    found += [("G2", f"the sums of {each} do not add up") for each in sorted(spoilt - stage.spoiled)]
    found += _accepted_is_kept(stage, rows, parked)
    for row in rows.values():
        found += _end_of(stage, row, payments[row["payment_id"]])
        found += _outages_of(attempts[row["id"]])
        found += _schedule_of(attempts[row["id"]], row, zone)
        found += _requests_of(stage, row, bank.ledger.asked.get(row["id"], ()))
    found += [
        ("G2", f"{ref} was paid and is on no record") for ref in bank.ledger.movements if ref not in rows
    ]
    found += _slots(rows, payments)
    found += _promised(rows, payments)
    found += _broken_rules(stage)
    found += _mails(stage, rows, notices)
    return found


def _of_line(line: str) -> Breach:
    if line[:1] == "G" and line[1:2].isdigit():
        guarantee, _, words = line.partition(" ")
        return guarantee, words
    return ("G3" if "given back of" in line else "G2"), line


def _accepted_is_kept(stage: Stage, rows: dict[str, Row], parked: Sequence[str]) -> Iterator[Breach]:
    for refund_id in stage.shop.acknowledged:
        if refund_id not in rows:
            yield "G1", f"{refund_id} was acknowledged and is lost"
    by_message = [row for row in rows.values() if row["requested_by"] == "message"]
    kept = len(by_message) + len(parked)
    if kept != len(set(stage.messages_ended)):
        yield "G1", f"{len(set(stage.messages_ended))} messages ended and {kept} are kept"


def _end_of(stage: Stage, row: Row, payment: Row) -> Iterator[Breach]:
    refund_id, status = row["id"], Status(row["status"])
    standing = stage.banks[BANK].ledger.standing(refund_id)
    if status not in ENDS:
        held_up = payment["slot"] not in {None, refund_id}
        stuck = "G4" if status in {Status.REQUESTED, Status.QUEUED} else "G8"
        if not held_up:
            yield "G7" if stage.counts["rings lost"] else stuck, f"{refund_id} is still {status}"
    if status in PAID and not standing:
        yield "G6", f"{refund_id} is {status} and the bank paid nothing"
    if status in UNPAID and standing:
        yield "G6", f"{refund_id} is {status} and the bank paid it"
    if row["lease_until"] is not None and status is not Status.ATTEMPTING:
        yield "G8", f"{refund_id} is {status} and still leased"
    for made in standing:
        amount = row["amount_minor"]
        if (made.amount_minor, made.transaction_id) != (amount, payment["transaction_id"]):
            yield "G2", f"{refund_id}: {made.amount_minor} of {made.transaction_id} moved in its place"


def _schedule_of(attempts: Sequence[Row], row: Row, zone: str) -> Iterator[Breach]:
    counted = [attempt for attempt in attempts if attempt["counted_number"] is not None]
    for episode, number in Counter(attempt["episode"] for attempt in counted).items():
        if number > MOST_COUNTED:
            yield "G4", f"{row['id']} had {number} counted attempts in episode {episode}"
    days = Counter(attempt["claimed_at"].astimezone(ZoneInfo(zone)).date() for attempt in counted)
    for day, number in days.items():
        if number > 1:
            yield "G4", f"{row['id']} was tried {number} times on {day}"
    if Status(row["status"]) is Status.FAILED and row["attempts_counted"] < MOST_COUNTED:
        by_hand = any(attempt["extra"] for attempt in attempts)
        if not by_hand and row["failure_code"] and row["generation"] > 1:
            yield "G4", f"{row['id']} failed after {row['attempts_counted']} counted attempts"


def _outages_of(attempts: Sequence[Row]) -> Iterator[Breach]:
    for attempt in attempts:
        if attempt["counted_number"] is not None and attempt["outcome"] == Outcome.UNAVAILABLE:
            yield "G4", f"{attempt['refund_id']}: an outage was counted as a try"


def _requests_of(stage: Stage, row: Row, asked: Sequence[Asked]) -> Iterator[Breach]:
    """Ask first, then pay: what the bank saw of one refund, in order."""
    can = stage.banks[BANK].abilities
    if row["id"] in stage.told_by_person:
        return
    last: Asked | None = None
    found: list[Asked] = []
    for seen in asked:
        if seen.what == "look_up":
            found.append(seen)
            continue
        if last is not None and not seen.zombie:
            yield from _again(row["id"], last, found, seen, looks=can.look_up, settling=can.settling)
        last, found = seen, []


def _again(
    refund_id: str, last: Asked, found: Sequence[Asked], seen: Asked, *, looks: bool, settling: Any
) -> Iterator[Breach]:
    if looks and not found:
        yield "G6", f"{refund_id} was sent again without a look-up"
    if last.outcome is not Outcome.UNKNOWN:
        return
    absent = [each.at for each in found if each.finding is Finding.ABSENT]
    proven = any(each.finding is Finding.DECLINED for each in found) or (
        len(absent) > 1 and max(absent) - min(absent) >= settling
    )
    if looks and not proven:
        yield "G6", f"{refund_id} was sent again although it might have been paid"
    if not looks and seen.key != last.key:
        yield "G6", f"{refund_id} was sent under a new key although it might have been paid"


def _slots(rows: dict[str, Row], payments: dict[str, Row]) -> Iterator[Breach]:
    holders = {Status.NEEDS_REVIEW, Status.ATTEMPTING, Status.IN_DOUBT, Status.SUBMITTED}
    for payment in payments.values():
        holder = rows.get(payment["slot"] or "")
        if payment["slot"] and (holder is None or Status(holder["status"]) not in holders):
            yield "G8", f"the slot of {payment['transaction_id']} is left to {payment['slot']}"


def _promised(rows: dict[str, Row], payments: dict[str, Row]) -> Iterator[Breach]:
    """What is paid and what may still be paid together is never more than was captured."""
    promised: Counter[str] = Counter()
    for row in rows.values():
        if row["kind"] == Kind.REFUND and Status(row["status"]) not in {Status.FAILED, Status.CANCELLED}:
            promised[row["payment_id"]] += row["amount_minor"]
    for payment_id, amount in promised.items():
        payment = payments[payment_id]
        if amount > payment["captured_minor"] + payment["excess_minor"]:
            yield "G3", f"{payment['transaction_id']}: {amount} promised of {payment['captured_minor']}"


def _broken_rules(stage: Stage) -> Iterator[Breach]:
    with stage.wire.muted(), stage.database.read() as tx:
        history = tables.history.c
        broken = select(history.refund_id).where(history.why.startswith("booking its outcome would break"))
        for refund_id in tx.execute(broken).scalars():
            yield "G8", f"{refund_id}: a worker's late word would have broken its books"


def _mails(stage: Stage, rows: dict[str, Row], notices: Sequence[Row]) -> Iterator[Breach]:
    received: dict[tuple[str, str], set[str]] = defaultdict(set)
    ids: dict[str, set[str]] = defaultdict(set)
    acknowledged: Counter[str] = Counter()
    for mail in stage.mailbox.received:
        received[mail.refund_id, mail.address].add(mail.event)
        ids[f"{mail.refund_id} {mail.address} {mail.event}"].add(mail.message_id)
        acknowledged[mail.message_id] += mail.told
    for row in rows.values():
        alarms = None if row["id"] in stage.told_by_person else ALARMS.get(Status(row["status"]))
        for address in stage.wishes.notify_emails if alarms else ():
            refused = (row["id"], address) in stage.mailbox.refused_for_good
            if not refused and not received[row["id"], address] & (alarms or set()):
                yield "G5", f"{address} was never told that {row['id']} is {row['status']}"
    told = Counter(f"{row['refund_id']} {row['address']} {row['kind']}" for row in notices)
    for what, message_ids in ids.items():
        if len(message_ids) > told[what]:
            yield "G5", f"{what}: {len(message_ids)} Message-IDs for {told[what]} notices"
    yield from _records(stage, notices, acknowledged)


def _records(stage: Stage, notices: Sequence[Row], acknowledged: Counter[str]) -> Iterator[Breach]:
    """Every mail is on record, every notice at an end, and none was told twice without need."""
    for message_id in acknowledged.keys() - {row["message_id"] for row in notices}:
        yield "G5", f"{message_id} was accepted and is on no record"
    for row in notices:
        if row["status"] == "pending":
            yield "G5", f"notice {row['kind']} to {row['address']} is still pending"
    for message_id, times in acknowledged.items():
        if times > 1 and stage.wire.blow is None:
            yield "G5", f"{message_id} was accepted and acknowledged {times} times"
