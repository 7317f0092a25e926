"""The judge of money: paid once, never above captured, never blindly; by the sandbox's own ledger."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.guarantees.figures import Tally
from tests.guarantees.processes.book import gateway_of
from tests.guarantees.processes.city import GRADES
from tests.guarantees.processes.clients import Books
from tests.guarantees.processes.facts import Facts, MoneyRequest

_SURE_REFUSALS = frozenset({401, 402, 404, 409, 422, 429, 503})
"""Statuses with which the sandbox has surely moved nothing, if its script did not say otherwise."""


def paid_at_most_once(tally: Tally, facts: Facts) -> None:
    """G2: no reference twice, and every sum known to the penny."""
    paid = facts.paid()
    for reference in facts.doubled:
        tally.breach("G2", f"{reference} was paid twice: {requests_of(facts, reference)}")
    tally.breach("G2", *_unknown_payouts(facts, paid), *_different_sums(facts, paid))
    moved = [request for requests in facts.requests.values() for request in requests if request.moved]
    spoiled = [request for request in moved if _is_spoiled(request)]
    tally.count(
        "G2",
        refunds=len(facts.refunds),
        paid=len(paid),
        paid_minor_units=sum(paid.values()),
        paid_under_review=sum(facts.status(reference) == "needs_review" for reference in paid),
        doubled=len(facts.doubled),
        faults_after_the_money_moved=len(spoiled) + _late_commits(facts),
        answers_lost_on_the_way=_lost_on_the_way(facts, spoiled),
        late_answers_kept_as_evidence=len(facts.evidence),
    )


def _unknown_payouts(facts: Facts, paid: dict[str, int]) -> Iterator[str]:
    """Paid is refunded, or a person has been asked; refunded is paid."""
    for reference in paid:
        status = facts.status(reference)
        if status not in {"refunded", "needs_review"}:
            yield f"{reference} was paid and is {status}: {requests_of(facts, reference)}"
    for refund_id in facts.refunds:
        if facts.status(refund_id) == "refunded" and refund_id not in paid:
            yield f"{refund_id} is refunded and was not paid: {requests_of(facts, refund_id)}"


def _different_sums(facts: Facts, paid: dict[str, int]) -> Iterator[str]:
    theirs, ours = Counter[str](), Counter[str]()
    for move in facts.moves:
        if move["status"] != "failed":
            theirs[gateway_of(move["transaction_id"])] += move["amount_minor"]
    for refund in facts.refunds.values():
        known = refund["status"] == "needs_review" and refund["id"] in paid
        if refund["status"] == "refunded" or known:
            ours[refund["gateway"]] += refund["amount_minor"]
    for gateway in GRADES:
        if theirs[gateway] != ours[gateway]:
            yield f"gateway {gateway} paid {theirs[gateway]}, moneyback knows of {ours[gateway]}"


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


def never_above_captured(tally: Tally, facts: Facts, books: Books) -> None:
    """G3: no payment above its capture, one row a key, every answer about the same refund."""
    asked_too_much = [*_refused_by_the_till(facts), *_above_captured(facts, books)]
    tally.breach("G3", *asked_too_much, *books.other_ids, *_wrong_keys(facts, books))
    tally.breach("G3", *(f"sums of payment {payment} do not add up" for payment in facts.broken_sums))
    tally.count(
        "G3",
        payments=len(facts.payments),
        keys=len(books.asks),
        refused_for_asking_too_much=sum(code in _TOO_MUCH for code in books.refused.values()),
        other_refusals=sum(code not in _TOO_MUCH for code in books.refused.values()),
        repeated_after_a_lost_answer=books.counts["repeated after a lost answer"],
        repeated_after_an_answer=books.counts["repeated after an answer"],
        above_captured=len(asked_too_much),
    )


def _wrong_keys(facts: Facts, books: Books) -> Iterator[str]:
    rows = Counter(row["key"] for row in facts.keys if row["refund_id"])
    yield from (f"{key} has {number} rows" for key, number in rows.items() if number > 1)
    kept = {row["key"]: row["refund_id"] for row in facts.keys}
    yield from (f"{each} has no key" for each in facts.refunds.keys() - set(kept.values()))
    for key, refund_id in books.acknowledged.items():
        refund = facts.refunds.get(refund_id)
        if kept.get(key) != refund_id:
            yield f"{key} was answered {refund_id} and is kept as {kept.get(key)}"
        if refund is not None and refund["amount_minor"] != books.asks[key].amount_minor:
            yield f"{refund_id} is about another amount than {key}"


def _above_captured(facts: Facts, books: Books) -> Iterator[str]:
    """By our books and by the sandbox's, each payment on its own."""
    ours: dict[str, int] = defaultdict(int)
    for refund in facts.refunds.values():
        if refund["status"] != "failed":
            ours[refund["payment_id"]] += refund["amount_minor"]
    for payment in facts.payments.values():
        if ours[payment["id"]] > payment["captured_minor"]:
            yield f"payment {payment['transaction_id']}: more is refunded than was captured"
    theirs: dict[str, int] = defaultdict(int)
    for move in facts.moves:
        if move["status"] != "failed":
            theirs[move["transaction_id"]] += move["amount_minor"]
    for transaction_id, amount_minor in theirs.items():
        if amount_minor > books.orders[transaction_id].payment["captured_minor"]:
            yield f"payment {transaction_id}: the sandbox paid more than was captured"


_TOO_MUCH = frozenset({"exceeds_captured", "exceeds_remaining"})


def _refused_by_the_till(facts: Facts) -> Iterator[str]:
    """The sandbox had to refuse because nothing or too little was left: we asked for too much, or twice."""
    for refund_id, attempts in facts.attempts.items():
        for row in attempts:
            if row["code"] in {"amount_too_large", "already_refunded"}:
                yield f"{refund_id} was refused with {row['code']}: {requests_of(facts, refund_id)}"


def unknown_is_asked(tally: Tally, facts: Facts) -> None:
    """G6: no order sent blindly again; whatever nobody can tell has been told to a person."""
    blind = 0
    for reference, requests in facts.requests.items():
        refund = facts.refunds.get(reference)
        if refund is not None and (wrong := _blind(GRADES[gateway_of(requests[0].transaction_id)], requests)):
            blind += 1
            tally.breach("G6", f"{reference} was sent blindly ({wrong}): {requests_of(facts, reference)}")
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


def requests_of(facts: Facts, reference: str) -> str:
    """The sandbox's requests of one refund, in one line."""
    return "; ".join(
        f"{request.at:%d %H:%M:%S} {request.method} {request.key or '-'} {request.step or '-'}"
        f" moved={request.moved:d} {request.status}"
        for request in facts.requests[reference]
    )
