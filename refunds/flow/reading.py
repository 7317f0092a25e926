"""Reading: what the entrances show. Nothing here changes anything."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from refunds.flow.answers import queue_answer
from refunds.flow.parts import Parts
from refunds.store import payments, refunds, requests, schema, ticks, tokens
from refunds.store.database import DatabaseUnavailableError, now, real_now
from refunds.store.payments import Payment
from refunds.store.refunds import Refund
from refunds.store.schema import SchemaStatus
from refunds.store.ticks import Beat
from refunds.store.tokens import Token

PARKED_COUNTED = 1000
"""Parked messages are counted up to here."""

RowT = TypeVar("RowT", Refund, Payment)


@dataclass(frozen=True, slots=True)
class Page(Generic[RowT]):
    """One page of a list; `next` is the `after` of the following page, None on the last."""

    items: list[RowT]
    next: str | None


def get_refund(parts: Parts, refund_id: str) -> Refund | None:
    """One refund, or None."""
    with parts.database.read() as tx:
        return refunds.get(tx, refund_id)


def list_refunds(parts: Parts, filters: Mapping[str, str], after: str | None, limit: int) -> Page[Refund]:
    """Refunds, newest first; filters as in `refunds.store.refunds.FILTERS`."""
    with parts.database.read() as tx:
        return _page(refunds.list_page(tx, filters=filters, after=after, limit=limit + 1), limit)


def list_payments(parts: Parts, filters: Mapping[str, str], after: str | None, limit: int) -> Page[Payment]:
    """Payments, newest last; filters: order_id, transaction_id, account, gateway."""
    with parts.database.read() as tx:
        return _page(payments.list_page(tx, filters=filters, after=after, limit=limit + 1), limit)


def queue_depth(parts: Parts) -> dict[str, Any]:
    """How much waits in which status, in which currency, and since when: the queue's document."""
    with parts.database.read() as tx:
        parked = len(requests.list_parked(tx, limit=PARKED_COUNTED))
        return queue_answer(refunds.depth(tx), parked=parked, now=now(tx))


def authenticate(parts: Parts, secret: str) -> Token | None:
    """The token with this secret, unless it is unknown or ended."""
    with parts.database.read() as tx:
        return tokens.find(tx, secret)


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether this process can serve, and who else shows signs of life.

    `at` is the database's clock and None while it is away; `skew_seconds` is how far this host's clock is
    ahead of it. Beats, ticks and `redis` (None: none is configured) are told, and decide nothing.
    """

    schema: SchemaStatus | None = None
    at: datetime | None = None
    skew_seconds: float = 0.0
    beats: tuple[Beat, ...] = ()
    last_tick_at: datetime | None = None
    redis: bool | None = None

    @property
    def migrated(self) -> bool:
        """The database answers and has this version's schema."""
        return self.schema is not None and self.schema.up_to_date


def ready(parts: Parts) -> Readiness:
    """Ask database and Redis. Never raises for their absence: that is an answer."""
    redis = parts.redis_answers() if parts.redis_answers is not None else None
    return replace(_ready(parts), redis=redis)


def _ready(parts: Parts) -> Readiness:
    try:
        status = schema.status(parts.database)
        with parts.database.read() as tx:
            real = real_now(tx)
            skew = (datetime.now(UTC) - real).total_seconds()
            if not status.up_to_date:
                return Readiness(status, real, skew)
            return Readiness(status, real, skew, tuple(ticks.beats(tx)), ticks.last_tick(tx))
    except DatabaseUnavailableError:
        return Readiness()


def _page(rows: list[RowT], limit: int) -> Page[RowT]:
    """`rows` holds one more than the page where there is another page."""
    return Page(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)
