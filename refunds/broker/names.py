"""Queues, actors and the namespace. The intake names are public: other services send to them."""

NAMESPACE = "moneyback:v1"

INTAKE_QUEUE = "refunds-intake"
REQUEST_REFUND = "request_refund"
PARK_MESSAGE = "park_message"

LANES_QUEUE = "lanes"
RING_LANE = "ring_lane"

MESSAGE_VERSION = 1

ACTORS = {INTAKE_QUEUE: {REQUEST_REFUND, PARK_MESSAGE}, LANES_QUEUE: {RING_LANE}}
"""Which actors a queue may carry; a message for any other is parked."""
