"""A gateway without a ledger: answers every refund at once, or after a fixed latency, in the sandbox's form.

Raw asyncio and one JSON read a request, so that the gateway is not what is measured. It keeps nothing and
proves nothing: the sandbox is the gateway that judges.
"""

import asyncio
import json
import sys
from itertools import count
from urllib.parse import unquote

_numbers = count(1)


class StubConnection(asyncio.Protocol):
    """One keep-alive connection; requests on it are answered in order."""

    def __init__(self, latency_seconds: float) -> None:
        self._latency_seconds = latency_seconds
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            whole = end + 4 + _body_length(head)
            if len(self._received) < whole:
                return
            body, self._received = self._received[end + 4 : whole], self._received[whole:]
            answer = _answer(head, body)
            if self._latency_seconds:
                asyncio.get_running_loop().call_later(self._latency_seconds, self._write, answer)
            else:
                self._write(answer)

    def _write(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


def _body_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def _answer(head: bytes, body: bytes) -> bytes:
    path = head.split(b" ", 2)[1].decode()
    number = next(_numbers)
    if not body:  # the harmless ping
        return _response(200, number, b'{"ok": true}')
    asked = json.loads(body)
    told = {
        "id": f"stub_{number}",
        "reference": asked["reference"],
        "transaction_id": unquote(path.split("/")[3]),
        "kind": "refund",
        "amount_minor": asked["amount_minor"],
        "currency": asked["currency"],
        "status": "succeeded",
        "code": None,
    }
    return _response(201, number, json.dumps(told).encode())


def _response(status: int, number: int, body: bytes) -> bytes:
    return (
        b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\n"
        b"Request-Id: req_%d\r\nContent-Length: %d\r\n\r\n%b"
    ) % (status, number, len(body), body)


async def serve(latency_ms: int) -> None:
    """Listen on a free loopback port, print it, and serve until ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: StubConnection(latency_ms / 1000), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
