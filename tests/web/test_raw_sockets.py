import random

import httpx
import pytest

from tests.web.service import Service

NONSENSE = [
    b"\x00" * 1000,
    b"\r\n" * 1000,
    b"GET",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /livez HTTP/1.1\r\n" + b"X: " + b"a" * 200_000,
    b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"POST /v1/refunds HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/refunds HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"POST /v1/refunds HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    b"CONNECT /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]


@pytest.mark.parametrize("sent", NONSENSE, ids=[str(number) for number in range(len(NONSENSE))])
def test_nonsense_ends_its_connection_at_most(service: Service, admin: httpx.Client, sent: bytes) -> None:
    answer = service.exchange(sent, hang_up=True)
    assert not answer.startswith(b"HTTP/1.1 5")
    assert admin.get("/readyz").status_code == 200


def test_random_bytes_end_their_connection_at_most(service: Service, admin: httpx.Client) -> None:
    for seed in range(30):
        noise = random.Random(seed).randbytes(400)
        assert not service.exchange(noise, hang_up=True).startswith(b"HTTP/1.1 5")
    assert admin.get("/readyz").status_code == 200


def test_a_caller_who_leaves_in_the_middle_takes_nothing_with_him(
    service: Service, admin: httpx.Client
) -> None:
    secret = admin.headers["Authorization"]
    before = service.count("refunds")
    for _ in range(20):
        service.exchange(
            f"POST /v1/refunds HTTP/1.1\r\nHost: x\r\nAuthorization: {secret}\r\nIdempotency-Key: left\r\n"
            'Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{"order_id": '.encode(),
            hang_up=True,
        )
    assert admin.get("/readyz").status_code == 200
    assert service.count("refunds") == before
