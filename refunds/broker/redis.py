"""The Redis broker, with a consumer that can acknowledge what it cannot read."""

import base64
from typing import Any

import redis
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed

from refunds.broker.decoding import RAW

_SCAN_LIMIT = 10_000


class ParkingRedisBroker(RedisBroker):
    """RedisBroker whose consumer finds the Redis id of messages that do not carry it themselves."""

    @property
    def consumer_class(self) -> type["_ParkingConsumer"]:
        """Used by `consume`."""
        return _ParkingConsumer


class _ParkingConsumer(_RedisConsumer):
    """dramatiq acknowledges by an id inside the body; an unreadable or foreign body has none."""

    def __next__(self) -> Any:
        try:
            message = super().__next__()
        except redis.TimeoutError as error:  # else logged as a bug of dramatiq, and the consumer dies
            raise redis.ConnectionError(str(error)) from error
        if message is not None and RAW in message.options:
            raw = base64.b64decode(message.options.pop(RAW))
            message.options["redis_message_id"] = self._id_of(raw)
        return message

    def ack(self, message: Any) -> None:
        try:
            super().ack(message)
        except redis.TimeoutError as error:
            raise ConnectionClosed(error) from None

    def _id_of(self, raw: bytes) -> str:
        """The id under which this body is stored, found by its content."""
        key = f"{self.broker.namespace}:{self.queue_name}.msgs"
        for count, (field, value) in enumerate(self.broker.client.hscan_iter(key, count=500)):
            if value == raw:
                return str(field.decode())
            if count > _SCAN_LIMIT:
                break
        return ""
