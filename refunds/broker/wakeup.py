"""Ringing lanes: best effort, off the caller's thread, each lane at most once per 100 ms."""

import threading

import dramatiq
import structlog
from dramatiq import Message
from dramatiq.brokers.stub import StubBroker

from refunds.broker.names import LANES_QUEUE, MESSAGE_VERSION, RING_LANE

log = structlog.get_logger(__name__)

APART_SECONDS = 0.1

UNHEARD = 100
"""A broker in memory whose process has no worker: nobody listens, and the pumps elsewhere look anyway."""


class BrokerWakeup:
    """Sends wake-ups. A lost one costs a few seconds: the pumps look by themselves."""

    def __init__(self, broker: dramatiq.Broker) -> None:
        self._broker = broker
        self._due: set[tuple[str, str]] = set()
        self._change = threading.Condition()
        self._closing = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
        self._thread.start()

    def ring(self, account: str, gateway: str) -> None:
        """Never blocks, never raises."""
        with self._change:
            self._due.add((account, gateway))
            self._change.notify()

    def close(self) -> None:
        """Send what is still due, then stop; waits at most a few seconds."""
        with self._change:
            self._closing = True
            self._ended.set()
            self._change.notify()
        self._thread.join(timeout=3)

    def _run(self) -> None:
        while True:
            with self._change:
                while not self._due and not self._closing:
                    self._change.wait()
                due, self._due = self._due, set()
                if not due and self._closing:
                    return
            for account, gateway in sorted(due):
                self._send(account, gateway)
            self._ended.wait(APART_SECONDS)

    def _send(self, account: str, gateway: str) -> None:
        if isinstance(self._broker, StubBroker) and self._broker.queues[LANES_QUEUE].qsize() > UNHEARD:
            return
        message: Message[None] = Message(
            queue_name=LANES_QUEUE,
            actor_name=RING_LANE,
            args=(),
            kwargs={"version": MESSAGE_VERSION, "account": account, "gateway": gateway},
            options={},
        )
        try:
            self._broker.enqueue(message)
        except Exception as error:  # noqa: BLE001 - a bell that cannot be rung is no failure of the refund
            log.warning(
                "wakeup.lost", account=account, gateway=gateway, error=f"{type(error).__name__}: {error}"
            )
