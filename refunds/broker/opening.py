"""Opening a broker: an explicit list of middleware; never Retries, TimeLimit or AgeLimit.

With dramatiq's own list an error would send a message up to 21 times, and a time limit would throw an
exception between a gateway's yes and our commit.
"""

from collections.abc import Iterable
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import dramatiq
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import CurrentMessage, Middleware

from refunds.broker.decoding import ParkingEncoder
from refunds.broker.names import INTAKE_QUEUE, LANES_QUEUE, NAMESPACE


def open_broker(redis_url: str | None, *, socket_timeout_seconds: float = 5.0) -> dramatiq.Broker:
    """The broker of this process: Redis where a URL is given, else in memory. Connects on first use."""
    middleware: list[Middleware] = [CurrentMessage()]
    broker: dramatiq.Broker
    if redis_url is None:
        broker = StubBroker(middleware=middleware)
    else:
        from refunds.broker.redis import ParkingRedisBroker  # noqa: PLC0415 - redis is an extra

        broker = ParkingRedisBroker(
            url=_with_limits(redis_url, socket_timeout_seconds),
            middleware=middleware,
            maintenance_chance=100_000,
            heartbeat_timeout=60_000,
            dead_message_ttl=3_600_000,
            namespace=NAMESPACE,
        )
    dramatiq.set_encoder(ParkingEncoder())
    dramatiq.set_broker(broker)
    for queue in (INTAKE_QUEUE, LANES_QUEUE):
        broker.declare_queue(queue)
    return broker


def _with_limits(url: str, socket_timeout_seconds: float) -> str:
    parts = urlsplit(url)
    query = dict(cast("Iterable[tuple[str, Any]]", parse_qsl(parts.query)))
    query.setdefault("socket_timeout", str(socket_timeout_seconds))
    query.setdefault("socket_connect_timeout", "1")
    return urlunsplit(parts._replace(query=urlencode(query)))
