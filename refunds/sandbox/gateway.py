"""The platform's API under /v1: refunds, voids, look-ups."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Literal, assert_never

from aiohttp import web
from pydantic import ValidationError

from refunds.sandbox.answer import Answer, Manner, Reply, error, invalid
from refunds.sandbox.group import GroupCommit
from refunds.sandbox.messages import MoneyOrder, MoneyRequest
from refunds.sandbox.records import Seen
from refunds.sandbox.teller import Teller

NUMBER = web.RequestKey("number", int)
"""Number of a request; its Request-Id is `req_` and this."""

_GONE_CHECK_SECONDS = 0.05

Kind = Literal["refund", "void"]


class Gateway:
    """Handlers of the platform's API."""

    def __init__(self, *, group: GroupCommit, teller: Teller, latency_ms: int) -> None:
        self._group = group
        self._teller = teller
        self.latency_ms = latency_ms
        """Real milliseconds before a money or look-up request is taken."""

    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        refunds = "/v1/payments/{transaction_id}/refunds"
        return [
            web.get("/v1/ping", self._ping),
            web.get(refunds, self._look_up, allow_head=False),
            web.post(refunds, self._money("refund")),
            web.post("/v1/payments/{transaction_id}/void", self._money("void")),
        ]

    async def _ping(self, request: web.Request) -> web.Response:
        return respond(_unauthorized(request) or Answer(200, '{"ok": true}'))

    def _money(self, kind: Kind) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            content = await request.read()
            await self._wait()
            order = _order(kind, request, content)
            if isinstance(order, Answer):
                seen = _seen(request, reference=None)
                return respond(await self._group.run(partial(self._teller.turn_away, seen, order)))
            seen = _seen(request, reference=order.request.reference)
            reply = await self._group.run(partial(self._teller.take, order, seen))
            if reply.seconds:
                with self._teller.holding(order.key):
                    await _pass(request, reply.seconds)
            return await _deliver(request, reply)

        return handle

    async def _look_up(self, request: web.Request) -> web.Response:
        await self._wait()
        seen = _seen(request, reference=request.query.get("reference"))
        refusal = _unauthorized(request)
        if refusal is not None:
            return respond(await self._group.run(partial(self._teller.turn_away, seen, refusal)))
        return respond(await self._group.run(partial(self._teller.look_up, seen)))

    async def _wait(self) -> None:
        if self.latency_ms:
            await asyncio.sleep(self.latency_ms / 1000)


def respond(answer: Answer) -> web.Response:
    """The answer as an HTTP response."""
    return web.Response(
        status=answer.status,
        body=answer.body.encode(),
        content_type="application/json",
        headers=answer.headers,
    )


def _order(kind: Kind, request: web.Request, content: bytes) -> MoneyOrder | Answer:
    refusal = _unauthorized(request)
    if refusal is not None:
        return refusal
    try:
        return MoneyOrder(
            kind=kind,
            transaction_id=request.match_info["transaction_id"],
            key=request.headers.get("Idempotency-Key"),
            request=MoneyRequest.model_validate_json(content),
        )
    except ValidationError as wrong:
        return invalid(wrong)


def _unauthorized(request: web.Request) -> Answer | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return None
    return error(401, "unauthorized", "an Authorization header with a bearer token is needed")


def _seen(request: web.Request, *, reference: str | None) -> Seen:
    return Seen(
        number=request[NUMBER],
        method=request.method,
        path=request.path,
        transaction_id=request.match_info["transaction_id"],
        reference=reference,
        key=request.headers.get("Idempotency-Key"),
    )


async def _deliver(request: web.Request, reply: Reply) -> web.StreamResponse:
    match reply.manner:
        case Manner.WHOLE:
            return respond(reply.answer)
        case Manner.CLOSED:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # aiohttp wants one, and finds the connection gone
        case Manner.GARBAGE:
            return web.Response(status=reply.answer.status, text="<html>Bad gatew", content_type="text/html")
        case Manner.HALF:
            return await _half(request, reply.answer)
        case _:
            assert_never(reply.manner)


async def _half(request: web.Request, answer: Answer) -> web.StreamResponse:
    body = answer.body.encode()
    response = web.StreamResponse(
        status=answer.status,
        headers={
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Request-Id": request_id(request),
        },
    )
    with suppress(ConnectionError):
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def request_id(request: web.Request) -> str:
    """What the Request-Id header says."""
    return f"req_{request[NUMBER]}"


async def _pass(request: web.Request, seconds: float) -> None:
    """Let the time pass, or less if the client leaves."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    # aiohttp tells of a client that left by this attribute alone
    while request.transport is not None and (left := end - loop.time()) > 0:  # noqa: ASYNC110
        await asyncio.sleep(min(left, _GONE_CHECK_SECONDS))
