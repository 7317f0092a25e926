"""The judge: each promise held against the ledgers of the other sides and the clients' own books."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from refunds.domain.schedule import local_date
from tests.guarantees.figures import Tally
from tests.guarantees.processes.book import gateway_of
from tests.guarantees.processes.chaos import Diary
from tests.guarantees.processes.city import ADDRESSES, GRADES
from tests.guarantees.processes.clients import Books
from tests.guarantees.processes.facts import Facts, MoneyRequest, Row

ENDED = frozenset({"refunded", "failed"})
"""Ends of what was asked here. Beside them stand needs_review, and what waits behind one of those."""

_SURE_REFUSALS = frozenset({401, 402, 404, 409, 422, 429, 503})
"""Statuses with which the sandbox has surely moved nothing, if its script did not say otherwise."""


def judge(tally: Tally, facts: Facts, books: Books, diary: Diary) -> None:
    """Count and judge everything that one city went through."""
    _accepted_is_kept(tally, facts, books, diary)
    _paid_at_most_once(tally, facts)
    _never_above_captured(tally, facts, books)
    _one_try_a_day(tally, facts)
    _failures_are_told(tally, facts, books)
    _unknown_is_asked(tally, facts)
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
        lost=lost,
        stuck=0,
    )


def _is_behind_a_review(facts: Facts, refund: Row) -> bool:
    holder = facts.refunds.get(facts.payments[refund["payment_id"]]["slot"] or "")
    waits = refund["status"] in {"requested", "queued"}
    return waits and holder is not None and holder["status"] == "needs_review"


def _paid_at_most_once(tally: Tally, facts: Facts) -> None:
    paid = facts.paid()
    for reference in facts.doubled:
        tally.breach("G2", f"{reference} was paid twice: {_requests(facts, reference)}")
    sums = {"theirs": Counter[str](), "ours": Counter[str]()}
    under_review = 0
    for reference, amount_minor in paid.items():
        refund = facts.refunds.get(reference)
        if refund is None:
            tally.breach("G2", f"{reference} was paid and is no refund of ours")
            continue
        sums["theirs"][refund["gateway"]] += amount_minor
        if refund["status"] == "needs_review":
            under_review += 1
            sums["ours"][refund["gateway"]] += refund["amount_minor"]
        elif refund["status"] != "refunded":
            tally.breach(
                "G2", f"{reference} was paid and is {refund['status']}: {_requests(facts, reference)}"
            )
    for refund in facts.refunds.values():
        if refund["status"] == "refunded":
            sums["ours"][refund["gateway"]] += refund["amount_minor"]
            if refund["id"] not in paid:
                tally.breach("G2", f"{refund['id']} is refunded and was not paid")
    for gateway in GRADES:
        if sums["theirs"][gateway] != sums["ours"][gateway]:
            tally.breach("G2", f"{gateway}: paid {sums['theirs'][gateway]}, known {sums['ours'][gateway]}")
    moved = [request for requests in facts.requests.values() for request in requests if request.moved]
    spoiled = [request for request in moved if _is_spoiled(request)]
    tally.count(
        "G2",
        refunds=len(facts.refunds),
        paid=len(paid),
        paid_minor_units=sum(paid.values()),
        paid_under_review=under_review,
        doubled=len(facts.doubled),
        faults_after_the_money_moved=len(spoiled) + _late_commits(facts),
        answers_lost_on_the_way=_lost_on_the_way(facts, spoiled),
        late_answers_kept_as_evidence=len(facts.evidence),
    )


def _is_spoiled(request: MoneyRequest) -> bool:
    """It moved money and told nobody so, or not in a way that may be believed."""
    told_wrong = {"error_after", "wrong_amount", "garbage", "half_answer", "hang_after", "reset_after"}
    return request.moved and (request.status is None or request.step in told_wrong)


def _late_commits(facts: Facts) -> int:
    paid = facts.paid()
    return len(
        {
            reference
            for reference, requests in facts.requests.items()
            if reference in paid and any(request.step == "late_commit" for request in requests)
        }
    )


def _lost_on_the_way(facts: Facts, spoiled: list[MoneyRequest]) -> int:
    """The sandbox paid and said so in due form, and the attempt's outcome was unknown all the same."""
    told = {request.reference for request in spoiled}
    return sum(
        any(request.moved for request in requests)
        and reference not in told
        and any(
            row["sending_at"] and row["outcome"] in {None, "unknown"} for row in facts.attempts[reference]
        )
        for reference, requests in facts.requests.items()
    )


def _never_above_captured(tally: Tally, facts: Facts, books: Books) -> None:
    tally.breach("G3", *(f"sums of payment {payment} do not add up" for payment in facts.broken_sums))
    tally.breach("G3", *books.other_ids)
    of_key = Counter((row["caller"], row["key"]) for row in facts.keys if row["refund_id"])
    kept = {row["key"]: row["refund_id"] for row in facts.keys}
    tally.breach("G3", *(f"{key} has {number} rows" for key, number in of_key.items() if number > 1))
    with_a_row = {row["refund_id"] for row in facts.keys}
    tally.breach("G3", *(f"{each} has no key" for each in facts.refunds if each not in with_a_row))
    for key, refund_id in books.acknowledged.items():
        if kept.get(key) != refund_id:
            tally.breach("G3", f"{key} was answered {refund_id} and is kept as {kept.get(key)}")
        if (
            refund_id in facts.refunds
            and facts.refunds[refund_id]["amount_minor"] != books.asks[key].amount_minor
        ):
            tally.breach("G3", f"{refund_id} is about another amount than {key}")
    by_payment: dict[str, int] = defaultdict(int)
    for refund in facts.refunds.values():
        if refund["status"] != "failed":
            by_payment[refund["payment_id"]] += refund["amount_minor"]
    for payment in facts.payments.values():
        if by_payment[payment["id"]] > payment["captured_minor"]:
            tally.breach("G3", f"payment {payment['transaction_id']}: more than was captured")
    paid_of: dict[str, int] = defaultdict(int)
    for move in facts.moves:
        if move["status"] != "failed":
            paid_of[move["transaction_id"]] += move["amount_minor"]
    for transaction_id, amount_minor in paid_of.items():
        if amount_minor > books.orders[transaction_id].payment["captured_minor"]:
            tally.breach("G3", f"payment {transaction_id}: the sandbox paid more than was captured")
    asked_too_much = [line for line in _refused_by_the_till(facts)]
    tally.breach("G3", *asked_too_much)
    tally.count(
        "G3",
        payments=len(facts.payments),
        keys=len(books.asks),
        refused_over_asking=sum(code == "exceeds_refundable" for code in books.refused.values()),
        other_refusals=sum(code != "exceeds_refundable" for code in books.refused.values()),
        repeated_after_a_lost_answer=books.counts["repeated after a lost answer"],
        above_captured=len(asked_too_much),
    )


def _refused_by_the_till(facts: Facts) -> Iterator[str]:
    """The sandbox had to refuse because nothing or too little was left: we asked for too much, or twice."""
    for refund_id, attempts in facts.attempts.items():
        for row in attempts:
            if row["code"] in {"amount_too_large", "already_refunded"}:
                yield f"{refund_id} was refused with {row['code']}: {_requests(facts, refund_id)}"


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
    for refund_id, address in told:
        if told[refund_id, address] and refund_id not in failures:
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


def _unknown_is_asked(tally: Tally, facts: Facts) -> None:
    blind = 0
    for reference, requests in facts.requests.items():
        refund = facts.refunds.get(reference)
        if refund is not None and (wrong := _blind(GRADES[gateway_of(requests[0].transaction_id)], requests)):
            blind += 1
            tally.breach("G6", f"{reference} was sent blindly ({wrong}): {_requests(facts, reference)}")
    told = {mail.refund_id for mail in facts.mails if mail.event in {"outcome_unknown", "needs_review"}}
    reviews = {row["id"] for row in facts.refunds.values() if row["status"] == "needs_review"}
    tally.breach("G6", *(f"{each} needs a review that nobody was told of" for each in reviews - told))
    found = sum(row["finding"] == "refunded" for row in facts.look_ups)
    first = sum(
        row["outcome"] == "refunded" and row["sending_at"] is None
        for attempts in facts.attempts.values()
        for row in attempts
    )
    unknown = sum(
        row["sending_at"] is not None and row["outcome"] in {None, "unknown"}
        for attempts in facts.attempts.values()
        for row in attempts
    )
    tally.count(
        "G6",
        unclear_outcomes=unknown,
        look_ups_that_found_a_payment=found + first,
        under_review=len(reviews),
        blind_resends=blind,
    )


def _blind(grade: str, requests: list[MoneyRequest]) -> str:
    """Why a repeated order was not allowed by the grade; empty if all were."""
    asked = True
    before: MoneyRequest | None = None
    for request in requests:
        if request.method == "GET":
            asked = True
            continue
        if before is not None:
            refused = before.status in _SURE_REFUSALS and not before.moved and before.step != "error_after"
            if grade in {"A", "B"} and not asked:
                return "no look-up before"
            if grade == "C" and request.key != before.key and not refused and before.status != 201:
                return "another key after an unclear answer"
            if grade == "D" and not refused:
                return "no refusal before"
        before, asked = request, False
    return ""


def _zombies_do_nothing(tally: Tally, facts: Facts, diary: Diary) -> None:
    for ending in diary.endings:
        if ending.code != 0 or ending.seconds > 30:
            words = " | ".join(ending.words.splitlines()[-6:])
            tally.breach(
                "G8", f"{ending.process} ended with {ending.code} in {ending.seconds:.1f} s: {words}"
            )
    unsent = sum(
        row["why"] == "the lease ran out before sending began"
        for rows in facts.history.values()
        for row in rows
    )
    lost = sum(row["code"] == "lease_lost" for rows in facts.attempts.values() for row in rows)
    tally.count(
        "G8",
        freezes=diary.counts["freezes"],
        sigterms=len(diary.endings),
        slowest_stop_ms=0,
        lease_take_overs=unsent + lost,
        fencing_refusals=facts.logs["refund.fenced_off"] + facts.logs["attempt.handed_back"],
        second_payouts=len(facts.doubled),
    )


def _requests(facts: Facts, reference: str) -> str:
    return "; ".join(
        f"{request.at:%d %H:%M:%S} {request.method} {request.key or '-'} {request.step or '-'}"
        f" moved={request.moved:d} {request.status}"
        for request in facts.requests[reference]
    )
