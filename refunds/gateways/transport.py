"""The shared transport: one bounded HTTP exchange, and an honest word on whether anything was sent.

Whether a request left is not read from exception names (the aiohttp transport reports a connection that
died after sending as a connect time-out) but seen: the gate is passed immediately before the first byte is
written, and only there. See docs/adr/0003.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

BODY_LIMIT = 1 << 20
CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer, at most BODY_LIMIT bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    duration_ms: int

    def document(self) -> dict[str, Any] | None:
        """The body as a JSON object, or None if it is not one."""
        try:
            read = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return read if isinstance(read, dict) else None


@dataclass(frozen=True, slots=True)
class NotSent:
    """Proven: not one byte of the request was written."""

    code: str
    text: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The request was, or may have been, written, and no complete answer came back."""

    code: str
    text: str
    duration_ms: int


class _HandedBackError(Exception):
    """The caller may no longer send."""


@dataclass(slots=True)
class _Gate:
    may_send: Callable[[], bool]
    passed: bool = field(default=False)


_gate: ContextVar[_Gate] = ContextVar("gate")


class Transport:
    """HTTP to one base address: no redirects, no proxy from the environment, nothing sent twice."""

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        call_limit_seconds: float,
        max_in_flight: int,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        self._call_limit_seconds = call_limit_seconds
        self._max_in_flight = max_in_flight
        self._timeout = httpx.Timeout(call_limit_seconds, connect=CONNECT_SECONDS).as_dict()
        self._engine: AiohttpTransport | None = None

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        may_send: Callable[[], bool] = lambda: True,
    ) -> Reply | NotSent | Lost:
        """One exchange within the call limit. Never raises for what the outside does."""
        gate = _Gate(may_send)
        mark = _gate.set(gate)
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._call_limit_seconds):
                return await self._exchange(method, path, body, headers or {}, began)
        except _HandedBackError:
            return NotSent("handed_back", "the lease was too short to send", _since(began))
        except TimeoutError:
            return _failure(gate, "timeout", "no complete answer within the call limit", began)
        except Exception as error:  # noqa: BLE001 - whatever happened, the gate tells what is known
            code, text = _describe(error)
            return _failure(gate, code, text, began)
        finally:
            _gate.reset(mark)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._engine is not None:
            engine, self._engine = self._engine, None
            await engine.aclose()

    async def _exchange(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        began: float,
    ) -> Reply | Lost:
        response = await self._open().handle_async_request(self._request(method, path, body, headers))
        try:
            content = bytearray()
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > BODY_LIMIT:
                    return Lost("answer_too_large", f"more than {BODY_LIMIT} bytes", _since(began))
            return Reply(response.status_code, response.headers, bytes(content), _since(began))
        finally:
            await response.aclose()

    def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> httpx.Request:
        content = None
        if body is not None:
            content = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
            headers = {"Content-Type": "application/json", **headers}
        return httpx.Request(
            method,
            self._base_url + path,
            headers={**self._headers, **headers},
            content=content,
            extensions={"timeout": self._timeout},
        )

    def _open(self) -> AiohttpTransport:
        """The engine without httpx's client, whose redirects, cookies and logins cost more than the call."""
        if self._engine is None:
            self._engine = AiohttpTransport(client=self._session)
        return self._engine

    def _session(self) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_pass_gate)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._max_in_flight * 2, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[trace],
            trust_env=False,
        )


async def _pass_gate(_session: object, _context: object, _parameters: object) -> None:
    """Aiohttp calls this after connecting, immediately before it writes the first byte."""
    gate = _gate.get()
    if not gate.may_send():
        raise _HandedBackError
    gate.passed = True


def _failure(gate: _Gate, code: str, text: str, began: float) -> NotSent | Lost:
    kind = Lost if gate.passed else NotSent
    return kind(code, text, _since(began))


def _describe(error: Exception) -> tuple[str, str]:
    cause = error.__cause__ or error
    match cause:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            code = "tls_failed"
        case aiohttp.ClientConnectorDNSError():
            code = "dns_failed"
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            code = "not_reached"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | aiohttp.ClientPayloadError():
            code = "connection_lost"
        case aiohttp.ServerTimeoutError():
            code = "timeout"
        case _:
            code = "transport_error"
    return code, f"{type(cause).__name__}: {cause}"


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
