"""Around every answer: request id, the headers all answers have, one line of log, no naked failure."""

import re
import time

import structlog
from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID

from refunds.domain.redaction import found_in, redacted_text
from web.api.problems import internal

log = structlog.get_logger(__name__)

REQUEST_ID = "X-Request-Id"

_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ON_ALL = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_FIRST_REFUSAL = 400


class Envelope:
    """Outermost of what is ours; what nobody caught is logged with its trace and answered without it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _SAFE_ID.fullmatch(given) and not found_in(given) else str(ULID())
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def send_dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update({**_ON_ALL, REQUEST_ID: request_id})
            await send(message)

        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_dressed)
            except Exception:
                log.exception("http.failed", method=scope["method"], path=scope["path"])
                if status:
                    raise
                await internal(Request(scope))(scope, receive, send_dressed)
            # Reads that went well are many and say little.
            tell = log.debug if scope["method"] == "GET" and status < _FIRST_REFUSAL else log.info
            duration_ms = round((time.perf_counter() - began) * 1000)
            tell(
                "http.answered",
                method=scope["method"],
                path=redacted_text(scope["path"])[:200],
                status=status,
                duration_ms=duration_ms,
            )
