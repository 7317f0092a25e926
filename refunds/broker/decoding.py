"""Decoding that never fails: one unreadable body must not discard the batch it came in, nor be lost.

dramatiq drops a whole prefetched batch when one body cannot be decoded, and moves messages for unknown
actors to dead letters that expire. Here both become a message for the actor that parks them in SQL.
"""

import base64
import json
from typing import Any

from dramatiq import Message
from dramatiq.encoder import Encoder, MessageData

from refunds.broker.names import ACTORS, INTAKE_QUEUE, PARK_MESSAGE
from refunds.domain.redaction import redacted_text

RAW = "raw"
"""Option under which a body without its own Redis id travels, so that it can be acknowledged."""

_FIELDS = {
    "queue_name": str,
    "actor_name": str,
    "args": list,
    "kwargs": dict,
    "options": dict,
    "message_id": str,
    "message_timestamp": int,
}


class ParkingEncoder(Encoder):
    """JSON; whatever is no message of ours decodes to one for `park_message`."""

    def encode(self, data: MessageData) -> bytes:
        """Compact JSON."""
        return json.dumps(data, separators=(",", ":")).encode()

    def decode(self, data: bytes) -> MessageData:
        """Always a complete message."""
        try:
            fields = json.loads(data)
        except (ValueError, RecursionError) as error:
            return _parked(data, f"not JSON: {type(error).__name__}")
        why = _unfit(fields)
        if why:
            return _parked(data, why)
        if "redis_message_id" not in fields["options"]:
            fields["options"][RAW] = base64.b64encode(data).decode()
        return {name: fields[name] for name in _FIELDS}


def _unfit(fields: Any) -> str | None:
    if not isinstance(fields, dict):
        return "not a JSON object"
    for name, kind in _FIELDS.items():
        if not isinstance(fields.get(name), kind):
            return f"field {name} is missing or of the wrong kind"
    if fields["actor_name"] not in ACTORS.get(fields["queue_name"], set()):
        told = redacted_text(f"no actor {fields['actor_name']!r} in queue {fields['queue_name']!r}")
        return told[:300]
    if fields["options"].get("eta") is not None:
        return "delayed messages are not taken"
    return None


def _parked(data: bytes, why: str) -> MessageData:
    raw = base64.b64encode(data).decode()
    message: Message[None] = Message(
        queue_name=INTAKE_QUEUE,
        actor_name=PARK_MESSAGE,
        args=(),
        kwargs={"raw": raw, "why": why},
        options={RAW: raw},
    )
    return message.asdict()
