"""One exchange of the transport with a raw server."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from refunds.gateways.transport import Transport
from tests.gateways.raw_server import Manner, RawServer, Visit, raw_server

BODY = {"amount_minor": 500}


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


@asynccontextmanager
async def transport_to(url: str, *, call_limit_seconds: float = 1.0) -> AsyncIterator[Transport]:
    transport = Transport(
        url,
        headers={"Authorization": "Bearer sandbox"},
        call_limit_seconds=call_limit_seconds,
        max_in_flight=4,
    )
    try:
        yield transport
    finally:
        await transport.close()


async def exchange(manner: Manner, *, times: int = 1, **how: Any) -> tuple[list[Any], RawServer]:
    """What a POST learned each time, and what the server saw."""
    async with raw_server(manner) as server, transport_to(server.url(), **how) as transport:
        learned = [await transport.send("POST", "/pay", body=BODY) for _ in range(times)]
    return learned, server


async def answer(visit: Visit) -> None:
    await visit.answer(b'{"ok": true}')
