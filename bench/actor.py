"""The yardstick: a plain dramatiq actor that pays one refund a message and writes its rows by hand.

It makes the very HTTP call that moneyback's adapter makes and writes the same rows into tables of the same
shape, one transaction a job. It is given every advantage it could have: all it needs comes in the message,
it neither claims nor locks nor records before it sends, and it handles nothing but success.

Run as `dramatiq bench.actor`; `python -m bench.actor enqueue` sends a message for every refund that is due.
"""

import os
import socket
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

import dramatiq
import httpx
import psycopg
from dramatiq.brokers.redis import RedisBroker

THREADS = 32

_DATABASE = os.environ["BENCH_DATABASE_DSN"]
_GATEWAY = os.environ["BENCH_GATEWAY_URL"]
_WORKER = f"actor:{socket.gethostname()[:32]}:{os.getpid()}"

broker = RedisBroker(url=os.environ["BENCH_REDIS_URL"])  # type: ignore[no-untyped-call]
dramatiq.set_broker(broker)

_client = httpx.Client(
    headers={"Authorization": "Bearer sandbox"},
    timeout=20,
    limits=httpx.Limits(max_connections=None, max_keepalive_connections=THREADS),
    trust_env=False,
)
_mine = threading.local()


@dramatiq.actor
def refund(job: dict[str, Any]) -> None:
    """Pay one refund and write what became of it. A failed call is left to dramatiq's own retries."""
    began, sent_at = time.monotonic(), datetime.now(UTC)
    response = _client.post(
        f"{_GATEWAY}/v1/payments/{job['transaction_id']}/refunds",
        json={
            "amount_minor": job["amount_minor"],
            "currency": job["currency"],
            "reference": job["id"],
            "order_id": job["order_id"],
            "reason": None,
        },
        headers={"Idempotency-Key": f"{job['id']}-1"},
    )
    response.raise_for_status()
    told = response.json()
    if told["status"] != "succeeded" or any(
        told[name] != job[name] for name in ("transaction_id", "amount_minor", "currency")
    ):
        raise RuntimeError(f"the answer is not about {job['id']}")
    _write(job, told, response, sent_at=sent_at, duration_ms=round((time.monotonic() - began) * 1000))


def _write(
    job: dict[str, Any],
    told: dict[str, Any],
    response: httpx.Response,
    *,
    sent_at: datetime,
    duration_ms: int,
) -> None:
    now = datetime.now(UTC)
    connection = _connection()
    with connection.transaction():
        connection.execute(
            """INSERT INTO attempts (refund_id, number, fence, episode, counted_number, extra, key,
                claimed_at, sending_at, finished_at, outcome, code, text, request_id, http_status,
                duration_ms, worker)
            VALUES (%s, 1, 1, 1, 1, false, %s, %s, %s, %s, 'refunded', '', '', %s, %s, %s, %s)""",
            (
                *(job["id"], f"{job['id']}-1", sent_at, sent_at, now),
                *(response.headers["Request-Id"], response.status_code, duration_ms, _WORKER),
            ),
        )
        connection.execute(
            """UPDATE refunds SET status = 'refunded', due_at = NULL, fence = 1, attempts = 1,
                attempts_counted = 1, last_counted_at = %s, gateway_reference = %s, updated_at = %s
            WHERE id = %s AND status = 'requested'""",
            (sent_at, told["id"], now, job["id"]),
        )
        connection.execute(
            """UPDATE payments SET reserved_minor = reserved_minor - %s, refunded_minor = refunded_minor + %s
            WHERE id = %s""",
            (job["amount_minor"], job["amount_minor"], job["payment_id"]),
        )
        connection.execute(
            """INSERT INTO history (refund_id, at, actor, old, new, why)
            VALUES (%s, %s, %s, 'requested', 'refunded', 'the gateway refunded it')""",
            (job["id"], now, _WORKER),
        )


def _connection() -> psycopg.Connection[Any]:
    if not hasattr(_mine, "connection"):
        _mine.connection = psycopg.connect(_DATABASE, autocommit=True)
    connection: psycopg.Connection[Any] = _mine.connection
    return connection


def enqueue_due() -> int:
    """Send a message for every refund that is due; returns how many."""
    rows = _connection().execute(
        """SELECT r.id, r.payment_id, r.amount_minor, r.currency, p.order_id, p.transaction_id
        FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.status = 'requested' ORDER BY r.id""",
    )
    names = ("id", "payment_id", "amount_minor", "currency", "order_id", "transaction_id")
    jobs = [dict(zip(names, row, strict=True)) for row in rows]
    for job in jobs:
        refund.send(job)
    return len(jobs)


if __name__ == "__main__" and sys.argv[1:] == ["enqueue"]:
    print(enqueue_due())
