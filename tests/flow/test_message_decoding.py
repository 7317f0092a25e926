"""Decoding never fails: whatever is no message of ours becomes one that is parked, with its bytes."""

import base64
import json
from typing import Any

import pytest
from dramatiq import Message
from hypothesis import given
from hypothesis import strategies as st

from refunds.broker.decoding import RAW, ParkingEncoder
from refunds.broker.names import INTAKE_QUEUE, LANES_QUEUE, PARK_MESSAGE, REQUEST_REFUND, RING_LANE

encoder = ParkingEncoder()

OURS: dict[str, Any] = {
    "queue_name": INTAKE_QUEUE,
    "actor_name": REQUEST_REFUND,
    "args": [],
    "kwargs": {"version": 1, "idempotency_key": "k", "request": {}},
    "options": {"redis_message_id": "id"},
    "message_id": "id",
    "message_timestamp": 1,
}


def is_parked(data: bytes) -> str:
    """Why it is parked."""
    fields = encoder.decode(data)
    Message(**fields)
    assert (fields["queue_name"], fields["actor_name"]) == (INTAKE_QUEUE, PARK_MESSAGE)
    assert base64.b64decode(fields["kwargs"]["raw"]) == data
    return str(fields["kwargs"]["why"])


def test_our_own_message_comes_through_as_it_is() -> None:
    assert encoder.decode(encoder.encode(OURS)) == OURS


def test_a_message_without_a_redis_id_carries_its_bytes_so_that_it_can_be_acknowledged() -> None:
    data = json.dumps({**OURS, "options": {}, "extra": 1}).encode()

    fields = encoder.decode(data)

    assert base64.b64decode(fields["options"][RAW]) == data
    assert "extra" not in fields
    assert Message(**fields).actor_name == REQUEST_REFUND


def test_a_ring_comes_through() -> None:
    ring = {**OURS, "queue_name": LANES_QUEUE, "actor_name": RING_LANE}

    assert encoder.decode(encoder.encode(ring)) == ring


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"actor_name": "no_such_actor"}, "no actor"),
        ({"actor_name": RING_LANE}, "no actor"),
        ({"queue_name": "elsewhere"}, "no actor"),
        ({"queue_name": []}, "queue_name"),
        ({"args": {}}, "args"),
        ({"kwargs": []}, "kwargs"),
        ({"options": None}, "options"),
        ({"options": {"eta": 5}}, "delayed"),
        ({"message_id": 5}, "message_id"),
        ({"message_timestamp": "soon"}, "message_timestamp"),
        ({"actor_name": "x" * 10_000}, "no actor"),
    ],
    ids=repr,
)
def test_what_is_not_for_an_actor_of_ours_is_parked_with_the_reason(change: dict[str, Any], why: str) -> None:
    told = is_parked(json.dumps({**OURS, **change}).encode())

    assert why in told
    assert len(told) <= 300


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[]", b"null", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_cannot_be_read_is_parked(data: bytes) -> None:
    assert is_parked(data)


@given(st.binary(max_size=200))
def test_no_bytes_at_all_stop_the_decoder(data: bytes) -> None:
    assert is_parked(data)


VALUES = st.none() | st.integers() | st.text() | st.lists(st.none())


@given(st.dictionaries(st.sampled_from(sorted(OURS)), VALUES))
def test_no_fields_at_all_stop_the_decoder(change: dict[str, Any]) -> None:
    fields = encoder.decode(json.dumps({**OURS, **change}).encode())

    assert Message(**fields).actor_name in {REQUEST_REFUND, PARK_MESSAGE}
