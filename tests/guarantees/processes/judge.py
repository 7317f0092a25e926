"""The judge: each promise held against the ledgers of the other sides and the clients' own books."""

from collections import Counter, defaultdict

from refunds.domain.schedule import local_date
from tests.guarantees.figures import Tally
from tests.guarantees.processes.chaos import Diary
from tests.guarantees.processes.city import ADDRESSES
from tests.guarantees.processes.clients import Books
from tests.guarantees.processes.facts import Facts, Row
from tests.guarantees.processes.money import never_above_captured, paid_at_most_once, unknown_is_asked

ENDED = frozenset({"refunded", "failed"})
"""Ends of what was asked here. Beside them stand needs_review, and what waits behind one of those."""


def judge(tally: Tally, facts: Facts, books: Books, diary: Diary) -> None:
    """Count and judge everything that one city went through."""
    _accepted_is_kept(tally, facts, books, diary)
    paid_at_most_once(tally, facts)
    never_above_captured(tally, facts, books)
    _one_try_a_day(tally, facts)
    _failures_are_told(tally, facts, books)
    unknown_is_asked(tally, facts)
    _zombies_do_nothing(tally, facts, diary)


def _accepted_is_kept(tally: Tally, facts: Facts, books: Books, diary: Diary) -> None:
    lost = 0
    statuses: Counter[str] = Counter()
    for key, refund_id in books.acknowledged.items():
        refund = facts.refunds.get(refund_id)
        if refund is None:
            lost += 1
            tally.breach("G1", f"{refund_id} was acknowledged for {key} and is not there")
            continue
        status = "behind a review" if _is_behind_a_review(facts, refund) else refund["status"]
        statuses[status] += 1
        if status not in ENDED | {"needs_review", "behind a review"}:
            tally.breach("G1", f"{refund_id} has come to no end: {status}, due {refund['due_at']}")
    done = ("kills", "freezes", "sigterms", "postgres_stops", "flushes", "valkey_kills", "network_faults")
    tally.count(
        "G1",
        refunds=len(facts.refunds),
        acknowledged=len(books.acknowledged),
        lost=lost,
        **{f"ended_{status}": number for status, number in statuses.items()},
        **{name: diary.counts[name] for name in (*done, "network_faults_felt", "mail_faults")},
    )
    tally.count(
        "G7",
        flushes=diary.counts["flushes"],
        valkey_kills=diary.counts["valkey_kills"],
        acknowledged=len(books.acknowledged),
        ended=sum(statuses.values()),
        lost=lost,
    )


def _is_behind_a_review(facts: Facts, refund: Row) -> bool:
    holder = facts.refunds.get(facts.payments[refund["payment_id"]]["slot"] or "")
    waits = refund["status"] in {"requested", "queued"}
    return waits and holder is not None and holder["status"] == "needs_review"


def _one_try_a_day(tally: Tally, facts: Facts) -> None:
    counted, early, most = 0, 0, 0
    for refund_id, attempts in facts.attempts.items():
        ours = [row for row in attempts if row["counted_number"] is not None]
        counted += len(ours)
        most = max(most, len(ours))
        numbers = [(row["episode"], row["counted_number"]) for row in ours]
        if numbers != sorted(set(numbers)) or any(number > 4 for _, number in numbers):
            tally.breach("G4", f"{refund_id} has counted attempts {numbers}")
        days = [local_date(row["claimed_at"], "UTC") for row in ours]
        if len(set(days)) != len(days):
            early += 1
            tally.breach("G4", f"{refund_id} has two counted attempts on one date: {days}")
        if facts.refunds[refund_id]["status"] == "failed" and len(ours) != 4:
            tally.breach("G4", f"{refund_id} failed after {len(ours)} counted attempts")
    for reference, requests in facts.requests.items():
        refusals: dict[object, set[object]] = defaultdict(set)
        for number, request in enumerate(requests):
            if request.method == "POST" and request.step == "decline":
                refusals[request.at.date()].add(request.key or number)
        if len(refusals) > 4 or any(len(keys) > 1 for keys in refusals.values()):
            early += 1
            tally.breach("G4", f"{reference} was refused too often by the sandbox: {dict(refusals)}")
    tally.count("G4", refunds=len(facts.attempts), counted_attempts=counted, early=early)


def _failures_are_told(tally: Tally, facts: Facts, books: Books) -> None:
    asked = {refund_id: books.asks[key] for key, refund_id in books.acknowledged.items()}
    failures = {row["id"] for row in facts.refunds.values() if row["status"] == "failed"}
    told: dict[tuple[str, str], list[str]] = defaultdict(list)
    for mail in facts.mails:
        if mail.event == "failed":
            told[mail.refund_id, mail.address].append(mail.message_id)
    pairs = 0
    missing = 0
    for refund_id in failures:
        request = facts.refunds[refund_id]["request"]
        named = asked[refund_id].addresses if refund_id in asked else tuple(request.get("notify") or ())
        for address in (*ADDRESSES, *named):
            pairs += 1
            if not told[refund_id, address]:
                missing += 1
                rows = [dict(row) for row in facts.notices if row["refund_id"] == refund_id]
                tally.breach("G5", f"{address} was not told that {refund_id} failed: {rows}")
            if len(set(told[refund_id, address])) > 1:
                tally.breach("G5", f"{address} was told of {refund_id} under several Message-IDs")
    for (refund_id, address), ids in told.items():
        if ids and refund_id not in failures:
            tally.breach("G5", f"{address} was told that {refund_id} failed, which it has not")
    repeats = sum(len(ids) - 1 for ids in told.values() if ids)
    dropped = sum(mail.dropped for mail in facts.mails)
    tally.count(
        "G5",
        failures=len(failures),
        pairs=pairs,
        missing=missing,
        repeats=repeats,
        dropped_after_accepting=dropped,
    )


def _zombies_do_nothing(tally: Tally, facts: Facts, diary: Diary) -> None:
    for ending in diary.endings:
        if ending.code != 0 or ending.seconds > 30:
            tally.breach("G8", f"{ending.process} ended with {ending.code} in {ending.seconds:.1f} s")
    unsent = sum(
        row["why"] == "the lease ran out before sending began"
        for rows in facts.history.values()
        for row in rows
    )
    lost = sum(row["code"] == "lease_lost" for rows in facts.attempts.values() for row in rows)
    tally.count(
        "G8",
        freezes=diary.counts["freezes"],
        freezes_with_work_in_hand=diary.counts["freezes_with_work"],
        kills_with_work_in_hand=diary.counts["kills_with_work"],
        sigterms=len(diary.endings),
        lease_take_overs=unsent + lost,
        fencing_refusals=facts.logs["refund.fenced_off"] + facts.logs["attempt.handed_back"],
        second_payouts=len(facts.doubled),
    )
