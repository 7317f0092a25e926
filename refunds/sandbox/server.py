"""The sandbox gateway's server: one process, one loop, one ledger file."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import ValidationError

from refunds.sandbox.admin import Admin
from refunds.sandbox.answer import error, invalid
from refunds.sandbox.gateway import NUMBER, Gateway, request_id, respond
from refunds.sandbox.group import GroupCommit
from refunds.sandbox.ledger import Ledger
from refunds.sandbox.teller import Teller

_MAX_BODY = 64 * 1024 * 1024
_TICK_SECONDS = 0.1
_GRACE_SECONDS = 0.5

_log = logging.getLogger(__name__)


def run(
    *,
    host: str,
    port: int,
    ledger: Path,
    latency_ms: int = 0,
    strict: bool = False,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then return; to be called in a process's main thread.

    `ledger` is made if missing; one server at a time may have it. Port 0 takes a free one; `ready` gets
    the real port once connections are taken. `strict` refuses payments that were not put in before;
    otherwise an unknown one is taken on at first sight as captured without limit. Raises OSError if the
    address is taken.
    """
    ledger.parent.mkdir(parents=True, exist_ok=True)
    with Ledger(ledger) as book:
        teller = Teller(book, strict=strict)
        group = GroupCommit(book)
        gateway = Gateway(group=group, teller=teller, latency_ms=latency_ms)
        admin = Admin(path=ledger, ledger=book, group=group, teller=teller, gateway=gateway)
        numbers = count(book.last_request() + 1)
        app = web.Application(client_max_size=_MAX_BODY, middlewares=[_answering(numbers)])
        app.add_routes([*gateway.routes(), *admin.routes()])

        async def keep_time() -> None:
            if book.is_due(book.now()):
                await group.run(teller.settle)

        asyncio.run(_serve(app, host=host, port=port, ready=ready, keep_time=keep_time))


async def _serve(
    app: web.Application,
    *,
    host: str,
    port: int,
    ready: Callable[[int], None] | None,
    keep_time: Callable[[], Awaitable[None]],
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
        if ready is not None:
            ready(runner.addresses[0][1])
        # requests keep the time too; this is for judges who read the file while no request comes
        while not stop.is_set():
            await keep_time()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _TICK_SECONDS)
    finally:
        await runner.cleanup()


def _answering(numbers: Iterator[int]) -> Middleware:
    """Numbers every request and turns every error into an answer of the platform's form."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[NUMBER] = next(numbers)
        try:
            response = await handler(request)
        except ValidationError as wrong:
            response = respond(invalid(wrong))
        except web.HTTPException as refused:
            code = refused.reason.lower().replace(" ", "_")
            response = respond(
                error(refused.status, code, f"{request.method} {request.path}: {refused.reason}")
            )
        except Exception:  # noqa: BLE001 the edge: a defect of the sandbox answers like a platform's
            _log.exception("sandbox request failed")
            response = respond(error(500, "internal", "the sandbox itself failed"))
        if not response.prepared:
            response.headers["Request-Id"] = request_id(request)
        return response

    return answer
