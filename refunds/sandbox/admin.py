"""Stage directions under /sandbox: payments, scripts, clock. A tool for the loopback: no credentials."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from aiohttp import web
from pydantic import TypeAdapter

from refunds.sandbox import judge
from refunds.sandbox.answer import Answer, unknown_payment_answer
from refunds.sandbox.gateway import Gateway, respond
from refunds.sandbox.group import GroupCommit
from refunds.sandbox.ledger import Ledger
from refunds.sandbox.messages import PAYMENT_ENTRIES, ClockOffset, Dispute, Latency, PortalRefund
from refunds.sandbox.records import stamp
from refunds.sandbox.script import Script
from refunds.sandbox.teller import Teller

_OPTIONAL_SCRIPT = TypeAdapter[Script | None](Script | None)


class Admin:
    """Handlers that set the stage; every change is committed before it is answered."""

    def __init__(
        self, *, path: Path, ledger: Ledger, group: GroupCommit, teller: Teller, gateway: Gateway
    ) -> None:
        self._path = path
        self._ledger = ledger
        self._group = group
        self._teller = teller
        self._gateway = gateway

    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        payment = "/sandbox/payments/{transaction_id}"
        return [
            web.put("/sandbox/payments", self._payments),
            web.put(f"{payment}/script", self._script),
            web.put(f"{payment}/dispute", self._dispute),
            web.post(f"{payment}/portal-refund", self._portal_refund),
            web.put("/sandbox/default-script", self._default_script),
            web.put("/sandbox/clock", self._set_clock),
            web.get("/sandbox/clock", self._clock),
            web.put("/sandbox/latency", self._latency),
            web.get("/sandbox/ledger", self._summary),
        ]

    async def _payments(self, request: web.Request) -> web.Response:
        entries = PAYMENT_ENTRIES.validate_json(await request.read())

        def put() -> Answer:
            self._ledger.put_payments(entries)
            return _ok(payments=len(entries))

        return respond(await self._group.run(put))

    async def _script(self, request: web.Request) -> web.Response:
        script = _OPTIONAL_SCRIPT.validate_json(await request.read())
        transaction_id = request.match_info["transaction_id"]
        return await self._on_payment(
            transaction_id, partial(self._ledger.set_script, transaction_id, script)
        )

    async def _dispute(self, request: web.Request) -> web.Response:
        dispute = Dispute.model_validate_json(await request.read())
        transaction_id = request.match_info["transaction_id"]
        return await self._on_payment(
            transaction_id, partial(self._ledger.set_disputed, transaction_id, disputed=dispute.disputed)
        )

    async def _on_payment(self, transaction_id: str, change: Callable[[], None]) -> web.Response:
        def work() -> Answer:
            if self._ledger.payment(transaction_id) is None:
                return unknown_payment_answer()
            change()
            return _ok()

        return respond(await self._group.run(work))

    async def _portal_refund(self, request: web.Request) -> web.Response:
        amount_minor = PortalRefund.model_validate_json(await request.read()).amount_minor
        transaction_id = request.match_info["transaction_id"]
        work = partial(self._teller.portal_refund, transaction_id, amount_minor)
        return respond(await self._group.run(work))

    async def _default_script(self, request: web.Request) -> web.Response:
        script = _OPTIONAL_SCRIPT.validate_json(await request.read())

        def put() -> Answer:
            self._ledger.set_default_script(script)
            return _ok()

        return respond(await self._group.run(put))

    async def _set_clock(self, request: web.Request) -> web.Response:
        clock = ClockOffset.model_validate_json(await request.read())

        def put() -> Answer:
            self._ledger.set_clock_offset(clock.offset_seconds)
            return self._clock_now()

        return respond(await self._group.run(put))

    async def _clock(self, _: web.Request) -> web.Response:
        return respond(await self._group.run(self._clock_now))

    def _clock_now(self) -> Answer:
        now = self._teller.settle()
        return _ok(now=stamp(now), offset_seconds=self._ledger.clock_offset())

    async def _latency(self, request: web.Request) -> web.Response:
        self._gateway.latency_ms = Latency.model_validate_json(await request.read()).ms
        return respond(_ok(ms=self._gateway.latency_ms))

    async def _summary(self, _: web.Request) -> web.Response:
        await self._group.run(self._teller.settle)
        return respond(_ok(**judge.summary(self._path)))


def _ok(**facts: object) -> Answer:
    return Answer(200, json.dumps(facts))
