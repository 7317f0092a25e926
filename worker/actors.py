"""The actors: parse, call one flow function, return. None of them retries: SQL holds what is to be done."""

import threading
from typing import Any

import dramatiq
import structlog
from dramatiq.middleware import CurrentMessage

from refunds.broker.names import INTAKE_QUEUE, LANES_QUEUE, PARK_MESSAGE, REQUEST_REFUND, RING_LANE
from refunds.flow.dispatch import Dispatcher
from refunds.flow.messages import park_message, take_message
from refunds.flow.parts import Parts

log = structlog.get_logger(__name__)


def declare(
    broker: dramatiq.Broker,
    parts: Parts,
    dispatcher: Dispatcher,
    *,
    stopping: threading.Event,
) -> None:
    """Declare the actors on a broker."""

    @dramatiq.actor(broker=broker, queue_name=LANES_QUEUE, actor_name=RING_LANE)
    def ring_lane(account: str, gateway: str, version: int) -> None:  # noqa: ARG001 - versions agree so far
        dispatcher.ring(account, gateway)

    @dramatiq.actor(broker=broker, queue_name=INTAKE_QUEUE, actor_name=REQUEST_REFUND)
    def request_refund(*args: Any, **kwargs: Any) -> None:
        asked = {"positional_arguments": list(args), **kwargs} if args else kwargs
        _end(broker, kept=take_message(parts, asked, stopping=stopping))

    @dramatiq.actor(broker=broker, queue_name=INTAKE_QUEUE, actor_name=PARK_MESSAGE)
    def park(raw: str, why: str) -> None:
        _end(broker, kept=park_message(parts, raw=raw, why=why, stopping=stopping))


def _end(broker: dramatiq.Broker, *, kept: bool) -> None:
    """A message that could not be kept before the process stops goes back to its queue first.

    Returning acknowledges it, so this returns only when it is back; else the process ends around it, and
    the broker hands it on.
    """
    message = CurrentMessage.get_current_message()
    while not kept and message is not None:
        try:
            broker.enqueue(message.copy())
        except Exception:
            log.exception("message.not_handed_back")
            threading.Event().wait(1)
        else:
            return
