"""The life of one refund in sentences, ready for a ticket."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cli.timeline import told
from cli.wording import money, standing
from refunds.domain.money import Money
from refunds.domain.status import Kind
from refunds.flow.overview import Overview
from refunds.notifier.moments import moment, second
from refunds.store.refunds import Refund

Row = Mapping[str, Any]

_MOVES_TOLD_BY_HAND = ("try now", "cancelled", "resolved", "started over")


def story(found: Overview) -> list[str]:
    """Sentences: who asked for what, what was tried and answered, who was told, where it stands."""
    refund = found.refund
    what = "void" if refund.kind is Kind.VOID else "refund"
    opening = (
        f"The {what} {refund.id} of {money(refund)} (of {_whole(refund)}) is for order {refund.order_id},"
        f" payment {refund.transaction_id} at {refund.gateway}."
    )
    asked = f"{refund.requested_by} asked for it on {moment(refund.created_at, 'UTC')}"
    because = f"; the reason given: {refund.reason}" if refund.reason else ""
    events = [*_attempts(found), *_look_ups(found), *_notices(found), *_acts(found), *_evidence(found)]
    told_in_order = [f"{second(at)}: {text}" for at, text in sorted(events, key=lambda event: event[0])]
    now = standing(refund, most_counted=found.most_counted, now=found.now)
    return [opening, f"{asked}{because}.", *told_in_order, f"As of {moment(found.now, 'UTC')}: {now}"]


def _whole(refund: Refund) -> str:
    if refund.kind is Kind.VOID:
        return f"{Money(refund.authorized_minor, refund.currency)} authorised"
    return f"{Money(refund.captured_minor, refund.currency)} captured"


def _attempts(found: Overview) -> Iterator[tuple[datetime, str]]:
    gateway = found.refund.gateway
    for row in found.attempts:
        counted = row["counted_number"]
        place = f"counted try {counted} of {found.most_counted}" if counted else "a try that is not counted"
        words = told(row)
        answer = {
            "refunded": f"{gateway} said that it is done",
            "accepted": f"{gateway} took it, the final word to come later",
            "declined": f"{gateway} refused it"
            if row["sending_at"]
            else "it was not sent: a look-up spoke against it",
            "unavailable": f"{gateway} could not be asked, nothing moved",
            "unknown": "what became of it is not known",
            None: "no answer was heard of" if row["sending_at"] else "it was not sent",
        }[row["outcome"]]
        request = f" (their request id: {row['request_id']})" if row["request_id"] else ""
        at = row["sending_at"] or row["claimed_at"]
        yield at, f"attempt {row['number']}, {place}: {answer}{f', {words}' if words else ''}{request}."


def _look_ups(found: Overview) -> Iterator[tuple[datetime, str]]:
    for row in found.look_ups:
        answer = {
            "refunded": "it is paid there",
            "accepted": "it is under way there",
            "declined": "it was refused there",
            "absent": "they know of no such refund",
            "unclear": "they could not tell",
        }[row["finding"]]
        words = told(row)
        yield (
            row["at"],
            f"{found.refund.gateway} was asked what became of it: {answer}{f', {words}' if words else ''}.",
        )


def _notices(found: Overview) -> Iterator[tuple[datetime, str]]:
    for row in found.notices:
        kind = row["kind"].replace("_", " ")
        answer = f" ({row['response']})" if row["response"] else ""
        state = {
            "delivered": "was delivered",
            "given_up": "could not be delivered",
            "pending": "waits to be delivered",
        }[row["status"]]
        yield (
            row["delivered_at"] or row["decided_at"],
            f"a mail ({kind}) to {row['address']} {state}{answer}.",
        )


def _acts(found: Overview) -> Iterator[tuple[datetime, str]]:
    """What people did; the other moves follow from the tries."""
    for row in found.history:
        if row["why"].startswith(_MOVES_TOLD_BY_HAND):
            yield row["at"], f"{row['actor']} acted: {row['why']}."


def _evidence(found: Overview) -> Iterator[tuple[datetime, str]]:
    for row in found.evidence:
        yield row["at"], f"evidence came in from {row['source']} that changed nothing by itself."
