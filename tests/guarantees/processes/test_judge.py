"""The judge itself: each breach, planted in made-up ledgers, is found by the guarantee that owns it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.guarantees.figures import Tally
from tests.guarantees.processes.book import Ask, Order
from tests.guarantees.processes.chaos import Diary
from tests.guarantees.processes.city import ADDRESSES
from tests.guarantees.processes.clients import Books
from tests.guarantees.processes.facts import Facts, MoneyRequest, Told
from tests.guarantees.processes.judge import judge
from tests.guarantees.processes.resident import Ending

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PAID, FAILED, REVIEWED = "rf_paid", "rf_failed", "rf_reviewed"


def _refund(refund_id: str, status: str, *, payment: str, gateway: str) -> dict[str, Any]:
    return {
        "id": refund_id,
        "status": status,
        "payment_id": payment,
        "gateway": gateway,
        "amount_minor": 500,
        "due_at": None,
        "request": {},
    }


def _attempt(day: int, **changes: Any) -> dict[str, Any]:
    at = NOON + timedelta(days=day)
    plain = {"number": day + 1, "episode": 1, "counted_number": day + 1, "claimed_at": at, "sending_at": at}
    return plain | {"outcome": "declined", "code": "issuer_declined"} | changes


def _post(transaction_id: str, reference: str, **changes: Any) -> MoneyRequest:
    plain = MoneyRequest(
        NOON, "POST", transaction_id, reference, f"{reference}-1", "", moved=True, status=201
    )
    return replace(plain, **changes)


def _move(transaction_id: str, reference: str) -> dict[str, Any]:
    return {
        "transaction_id": transaction_id,
        "reference": reference,
        "amount_minor": 500,
        "status": "succeeded",
    }


def _city() -> tuple[Facts, Books, Diary]:
    """One refund paid by A, one that B refused four times, one that D left unclear: all as promised."""
    facts = Facts(
        refunds={
            PAID: _refund(PAID, "refunded", payment="p1", gateway="a"),
            FAILED: _refund(FAILED, "failed", payment="p2", gateway="b"),
            REVIEWED: _refund(REVIEWED, "needs_review", payment="p3", gateway="d"),
        },
        payments={
            each: {"id": each, "transaction_id": name, "captured_minor": 900, "slot": None}
            for each, name in (("p1", "a-1"), ("p2", "b-2"), ("p3", "d-3"))
        },
        keys=[{"key": each, "refund_id": each} for each in (PAID, FAILED, REVIEWED)],
    )
    facts.attempts[PAID] = [_attempt(0, counted_number=None, outcome="refunded", code="")]
    facts.attempts[FAILED] = [_attempt(day) for day in range(4)]
    facts.attempts[REVIEWED] = [_attempt(0, counted_number=None, outcome="unknown", code="timeout")]
    facts.requests[PAID] = [_post("a-1", PAID)]
    facts.requests[FAILED] = [
        replace(_post("b-2", FAILED), at=NOON + timedelta(days=day), method=method, moved=False, **said)
        for day in range(4)
        for method, said in (
            ("GET", {"status": 200}),
            ("POST", {"status": 402, "step": "decline", "key": None}),
        )
    ]
    facts.requests[REVIEWED] = [_post("d-3", REVIEWED, key=None, step="reset_after", status=None)]
    facts.moves = [_move("a-1", PAID), _move("d-3", REVIEWED)]
    facts.mails = [Told(FAILED, address, "failed", f"<{address}>", dropped=False) for address in ADDRESSES]
    facts.mails.append(Told(REVIEWED, ADDRESSES[0], "outcome_unknown", "<r>", dropped=False))
    books = Books(acknowledged={each: each for each in facts.refunds})
    for refund_id, name in ((PAID, "a-1"), (FAILED, "b-2"), (REVIEWED, "d-3")):
        ask = Ask(refund_id, {}, 500, ())
        books.asks[refund_id] = ask
        books.orders[name] = Order({"transaction_id": name, "captured_minor": 900}, (ask,))
    return facts, books, Diary(endings=[Ending("worker-1", 0, 1.0, "")])


def _broken(facts: Facts, books: Books, diary: Diary) -> set[str]:
    tally = Tally("processes", seed=1)
    judge(tally, facts, books, diary)
    return {part.guarantee for part in tally.parts() if part.breaches}


Plant = Callable[[Facts, Books, Diary], object]
PLANTS: dict[str, tuple[set[str], Plant]] = {
    "an acknowledged refund is gone": (
        {"G1"},
        lambda _, books, __: books.acknowledged.update({PAID: "rf_gone"}),
    ),
    "a refund is stuck": ({"G1"}, lambda facts, *_: facts.refunds[FAILED].update(status="queued")),
    "a refund is paid twice": (
        {"G2"},
        lambda facts, *_: (facts.doubled.append(PAID), facts.moves.append(_move("a-1", PAID))),
    ),
    "a failed refund was paid": ({"G2"}, lambda facts, *_: facts.moves.append(_move("b-2", FAILED))),
    "a refunded one was not paid": ({"G2"}, lambda facts, *_: facts.moves.pop(0)),
    "a payout that nobody knows": ({"G2"}, lambda facts, *_: facts.moves.append(_move("a-1", "rf_strange"))),
    "sums that differ": ({"G2"}, lambda facts, *_: facts.moves[0].update(amount_minor=499)),
    "more than was captured": ({"G3"}, lambda facts, *_: facts.payments["p1"].update(captured_minor=499)),
    "the till had to refuse": (
        {"G3"},
        lambda facts, *_: facts.attempts[PAID][0].update(code="amount_too_large"),
    ),
    "a key with two rows": ({"G3"}, lambda facts, *_: facts.keys.append({"key": PAID, "refund_id": PAID})),
    "a key answered otherwise": ({"G3"}, lambda facts, *_: facts.keys[0].update(refund_id=FAILED)),
    "two tries on one date": (
        {"G4"},
        lambda facts, *_: facts.attempts[FAILED][1].update(claimed_at=NOON),
    ),
    "a fifth try": (
        {"G4"},
        lambda facts, *_: facts.attempts[FAILED].append(_attempt(4)),
    ),
    "failed too early": ({"G4"}, lambda facts, *_: facts.attempts[FAILED].pop()),
    "refused twice in one day by the sandbox's own books": (
        {"G4"},
        lambda facts, *_: facts.requests[FAILED].extend(facts.requests[FAILED][-2:]),
    ),
    "an address was not told": ({"G5"}, lambda facts, *_: facts.mails.pop(0)),
    "told twice under two ids": (
        {"G5"},
        lambda facts, *_: facts.mails.append(replace(facts.mails[0], message_id="<other>")),
    ),
    "a false alarm": ({"G5"}, lambda facts, *_: facts.mails.append(replace(facts.mails[0], refund_id=PAID))),
    "sent again without a look-up": (
        {"G6"},
        lambda facts, *_: facts.requests[PAID].append(_post("a-1", PAID, moved=False)),
    ),
    "sent again though nobody can tell": (
        {"G6"},
        lambda facts, *_: facts.requests[REVIEWED].append(_post("d-3", REVIEWED, moved=False)),
    ),
    "a review that nobody heard of": ({"G6"}, lambda facts, *_: facts.mails.pop()),
    "a stop that failed": ({"G8"}, lambda _, __, diary: diary.endings.append(Ending("web-1", 1, 25.0, ""))),
}


def test_a_city_that_kept_its_promises_is_not_blamed() -> None:
    assert _broken(*_city()) == set()


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_breach_is_found_by_its_owner(plant: str) -> None:
    facts, books, diary = _city()
    owners, bend = PLANTS[plant]
    bend(facts, books, diary)
    assert owners <= _broken(facts, books, diary)
