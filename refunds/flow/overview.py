"""Overview: all there is to know about one refund, and what the queue will do next. Changes nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from refunds.domain.money import decimal_text
from refunds.flow.answers import queue_answer, refund_answer
from refunds.flow.parts import Parts
from refunds.flow.reading import PARKED_COUNTED
from refunds.store import accounts, evidence, notices, refunds, requests
from refunds.store.accounts import Account
from refunds.store.database import now
from refunds.store.refunds import Refund
from refunds.store.types import instant_text

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Overview:
    """One refund with every row about it, each list oldest first. `now` is the business clock's."""

    refund: Refund
    most_counted: int
    """Counted attempts that end an episode."""
    attempts: list[dict[str, Any]]
    look_ups: list[dict[str, Any]]
    notices: list[dict[str, Any]]
    history: list[dict[str, Any]]
    evidence: list[dict[str, Any]]
    now: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """One queued refund, and how many counted attempts its account grants."""

    refund: Refund
    most_counted: int


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits: `document` is the queue's own (answers.queue_answer), `due` the next tries in order."""

    document: dict[str, Any]
    due: list[Waiting]
    now: datetime


def overview(parts: Parts, refund_id: str) -> Overview | None:
    """Everything about one refund, or None if there is none of that id."""
    with parts.database.read() as tx:
        refund = refunds.get(tx, refund_id)
        if refund is None:
            return None
        return Overview(
            refund=refund,
            most_counted=_most_counted(accounts.get_all(tx), refund),
            attempts=refunds.attempts_of(tx, refund_id),
            look_ups=refunds.look_ups_of(tx, refund_id),
            notices=notices.of_refund(tx, refund_id),
            history=refunds.history_of(tx, refund_id),
            evidence=evidence.evidence_of(tx, refund_id),
            now=now(tx),
        )


def queue(parts: Parts, *, limit: int) -> Queue:
    """The sums of what is open, and up to `limit` refunds of the queue, next due first."""
    with parts.database.read() as tx:
        parked = len(requests.list_parked(tx, limit=PARKED_COUNTED))
        known = accounts.get_all(tx)
        at = now(tx)
        return Queue(
            document=queue_answer(refunds.depth(tx), parked=parked, now=at),
            due=[
                Waiting(refund, _most_counted(known, refund))
                for refund in refunds.list_queue(tx, limit=limit)
            ],
            now=at,
        )


def overview_answer(found: Overview) -> dict[str, Any]:
    """The refund's own document with all that happened to it."""
    refund = found.refund
    return {
        **refund_answer(refund),
        "captured_amount": decimal_text(refund.captured_minor, refund.currency),
        "attempts_allowed": found.most_counted,
        "episode": refund.episode,
        "requested_by": refund.requested_by,
        "request": refund.request,
        "attempts": _documents(found.attempts, _ATTEMPT),
        "look_ups": _documents(found.look_ups, _LOOK_UP),
        "notices": _documents(found.notices, _NOTICE),
        "history": _documents(found.history, _HISTORY),
        "evidence": _documents(found.evidence, _EVIDENCE),
    }


def queue_document(found: Queue) -> dict[str, Any]:
    """The queue's document with the next tries."""
    due = [{**refund_answer(each.refund), "attempts_allowed": each.most_counted} for each in found.due]
    return {**found.document, "due": due}


_ATTEMPT = (
    "number",
    "episode",
    "counted_number",
    "extra",
    "key",
    "claimed_at",
    "sending_at",
    "finished_at",
    "outcome",
    "code",
    "text",
    "request_id",
    "http_status",
    "duration_ms",
    "worker",
)
_LOOK_UP = ("at", "finding", "code", "text", "duration_ms")
_NOTICE = (
    "id",
    "kind",
    "occurrence",
    "address",
    "why",
    "decided_at",
    "status",
    "tries",
    "due_at",
    "message_id",
    "response",
    "delivered_at",
)
_HISTORY = ("at", "actor", "old", "new", "why")
_EVIDENCE = ("at", "source", "content")


def _documents(rows: Iterable[Row], names: Iterable[str]) -> list[dict[str, Any]]:
    names = tuple(names)
    return [
        {name: instant_text(row[name]) if isinstance(row[name], datetime) else row[name] for name in names}
        for row in rows
    ]


def _most_counted(known: Mapping[str, Account], refund: Refund) -> int:
    return known[refund.account].policy.most_counted


def parked(parts: Parts, *, limit: int) -> list[dict[str, Any]]:
    """Messages that could not be taken, newest first: when, why, and their own words."""
    with parts.database.read() as tx:
        rows = requests.list_parked(tx, limit=limit)
    return [
        {"at": instant_text(row["at"]), "why": row["why"], "source": row["source"], "raw": row["raw"]}
        for row in rows
    ]
