"""Replay: a shop's orders and refund requests through the same intake as any other request.

The form of the files is that of the retail data set in examples/README.md. Payments are registered by
their sums alone; `derived` is what the data's makers expect and is read by the comparison only.
"""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from refunds.domain.money import MoneyError, minor_units_or_zero
from refunds.domain.redaction import redacted_text
from refunds.domain.status import Kind
from refunds.flow.intake import Accepted, Asked, Taken, release_held, take_in
from refunds.flow.parts import Parts
from refunds.flow.payments import register
from refunds.flow.refusal import Cause, Refusal
from refunds.flow.sweep import ring_due

CALLER = "replay"
BATCH = 500
LINE_LIMIT = 4 << 20

VERDICTS = {
    Cause.PAYMENT_UNKNOWN: "reject_unknown_order",
    Cause.EXCEEDS_CAPTURED: "reject_exceeds_captured",
    Cause.EXCEEDS_REMAINING: "reject_exceeds_remaining",
}


class ReplayFileError(Exception):
    """A line that is not of the form; nothing of its batch was taken in."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One refund that a request asked for, and what came of it."""

    request_id: str
    month: str
    currency: str
    asked_minor: int
    verdict: str
    detail: str
    repeated: bool
    refund_id: str | None
    transaction_id: str | None
    expected: str | None = None


@dataclass(slots=True)
class MonthSums:
    """Counts and sums of one month and currency, in minor units."""

    requests: int = 0
    asked_minor: int = 0
    accepted: int = 0
    accepted_minor: int = 0
    refused: int = 0
    refused_minor: int = 0


@dataclass(slots=True)
class Replayed:
    """What a replay did."""

    orders: int = 0
    payments: list[dict[str, Any]] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)

    def verdicts(self) -> dict[str, int]:
        """How often each verdict was given."""
        counts: dict[str, int] = {}
        for item in self.judged:
            counts[item.verdict] = counts.get(item.verdict, 0) + 1
        return dict(sorted(counts.items()))

    def months(self) -> dict[tuple[str, str], MonthSums]:
        """Sums by month of the request and currency."""
        sums: dict[tuple[str, str], MonthSums] = {}
        for item in self.judged:
            row = sums.setdefault((item.month, item.currency), MonthSums())
            row.requests += 1
            row.asked_minor += item.asked_minor
            if item.verdict == "accept":
                row.accepted += 1
                row.accepted_minor += item.asked_minor
            else:
                row.refused += 1
                row.refused_minor += item.asked_minor
        return dict(sorted(sums.items()))

    def differences(self) -> list[Judged]:
        """Where the verdict is not what the data expects, if it expects anything."""
        return [item for item in self.judged if item.expected not in {None, item.verdict}]


def replay(
    parts: Parts,
    *,
    orders: Path,
    requests: Path,
    hold: timedelta,
    progress: Callable[[str, int], None] = lambda _stage, _count: None,
    before_release: Callable[[Replayed], None] = lambda _: None,
) -> Replayed:
    """Take in the whole of both files, then let the first attempts begin. Run again it changes nothing.

    `progress` is told the stage and how many lines more are done. `before_release` sees everything that was
    taken in before the first attempt. Raises ReplayFileError, DatabaseUnavailableError.
    """
    done = Replayed()
    for batch in _batches(read_lines(orders)):
        documents = [document for order in batch for document in payment_documents(order)]
        for document, answer in zip(documents, register(parts, documents), strict=True):
            if isinstance(answer, Refusal):
                raise ReplayFileError(f"order {redacted_text(document['order_id'])}: {answer.detail}")
        done.orders += len(batch)
        done.payments += documents
        progress("orders", len(batch))
    for batch in _batches(read_lines(requests)):
        asked = [(request, item) for request in batch for item in refund_requests(request)]
        taken = take_in(
            parts,
            [item for _, item in asked],
            caller=CALLER,
            source="replay",
            keep_refusals=True,
            hold=hold,
        )
        done.judged += _judge(asked, taken)
        progress("requests", len(batch))
    before_release(done)
    release_held(parts, [item.refund_id for item in done.judged if item.refund_id])
    ring_due(parts)
    return done


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """JSON objects, one a line, plain or gzip. Raises ReplayFileError with the line's number."""
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8") as lines
    ):
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                document = json.loads(line) if len(line) <= LINE_LIMIT else None
            except ValueError:
                document = None
            if not isinstance(document, dict):
                raise ReplayFileError(f"{path.name}, line {number}: not a JSON object")
            yield document


def payment_documents(order: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The payments of an order: one, or each of its `payments`; by their sums only."""
    several = order.get("payments") or [
        {"transaction_id": order["transaction_id"], "amount": order.get("captured_amount", "0")},
    ]
    captured = order.get("captured", True)
    before = str(order.get("refunded_before") or "0")
    documents: list[dict[str, Any]] = []
    for payment in several:
        document: dict[str, Any] = {
            "order_id": str(order["order_id"]),
            "transaction_id": str(payment["transaction_id"]),
            "currency": order["currency"],
            "account": "default",
        }
        if payment.get("type"):
            document["method"] = str(payment["type"])
        amount = str(payment["amount"])
        if captured:
            document |= {"captured_amount": amount, "refunded_before": before}
            before = "0"
        else:
            authorized = str(order.get("authorized_amount") or amount) if len(several) == 1 else amount
            document |= {"status": "authorized", "authorized_amount": authorized}
        documents.append(document)
    return documents


def refund_requests(request: Mapping[str, Any]) -> list[Asked]:
    """What one request asks for: one refund or void, or one for each payment it names."""
    kind = Kind.VOID if request.get("kind") == "void" else Kind.REFUND
    common: dict[str, Any] = {
        "order_id": request.get("order_id"),
        "currency": request["currency"],
        "reason": request.get("reason"),
        "metadata": {
            name: str(request[name])
            for name in ("source_document", "requested_at")
            if request.get(name) is not None
        },
    }
    named = request.get("payments")
    if not named:
        document = common | {"transaction_id": request.get("transaction_id"), "amount": request.get("amount")}
        if request.get("items"):
            document["items"] = [_item(item) for item in request["items"]]
        return [Asked(str(request["request_id"]), _without_nulls(document), kind)]
    asked = []
    for number, payment in enumerate(named, 1):
        of = payment if isinstance(payment, dict) else {"transaction_id": payment}
        amount = of.get("amount", request.get("amount") if len(named) == 1 else None)
        document = common | {"transaction_id": of.get("transaction_id"), "amount": amount}
        asked.append(Asked(f"{request['request_id']}#{number}", _without_nulls(document), kind))
    return asked


def _item(item: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("sku", "description", "quantity", "unit_price", "amount")
    return {name: item[name] for name in kept if item.get(name) not in {None, ""}}


def _without_nulls(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}


def _judge(asked: Sequence[tuple[Mapping[str, Any], Asked]], taken: Sequence[Taken]) -> list[Judged]:
    return [_judged(request, item, answer) for (request, item), answer in zip(asked, taken, strict=True)]


def _judged(request: Mapping[str, Any], item: Asked, answer: Taken) -> Judged:
    month, currency = str(request.get("requested_at", ""))[:7], str(request["currency"])
    expected = _expected(request, item)
    if isinstance(answer, Accepted):
        return Judged(
            request_id=item.key,
            month=month,
            currency=currency,
            asked_minor=answer.refund.amount_minor,
            verdict="accept",
            detail="",
            repeated=answer.repeated,
            refund_id=answer.refund.id,
            transaction_id=answer.refund.transaction_id,
            expected=expected,
        )
    nameless = "order_id" not in item.document and "transaction_id" not in item.document
    cause = Cause.PAYMENT_UNKNOWN if nameless else answer.cause
    return Judged(
        request_id=item.key,
        month=month,
        currency=currency,
        asked_minor=_minor(item),
        verdict=VERDICTS.get(cause, f"reject_{cause}"),
        detail=answer.detail,
        repeated=answer.repeated,
        refund_id=None,
        transaction_id=item.document.get("transaction_id"),
        expected=expected,
    )


def _minor(item: Asked) -> int:
    try:
        return minor_units_or_zero(str(item.document.get("amount", "0")), item.document["currency"])
    except MoneyError:
        return 0


def _expected(request: Mapping[str, Any], item: Asked) -> str | None:
    """What the data expects: one word for the request, or one for each payment it names."""
    expected = (request.get("derived") or {}).get("expected")
    if isinstance(expected, list):
        number = int(item.key.rpartition("#")[2]) - 1
        return str(expected[number]) if number < len(expected) else None
    if isinstance(expected, dict):
        return expected.get(item.document.get("transaction_id"))
    return expected


def _batches(lines: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(lines, BATCH)):
        yield batch
