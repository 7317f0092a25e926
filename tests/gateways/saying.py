"""A sandbox gateway that is told what to hear."""

import asyncio
import json
from datetime import timedelta
from typing import Any

from refunds.domain.status import Kind
from refunds.gateways.registry import open_gateway
from refunds.ports import Call, Gateway
from tests.gateways.raw_server import Visit, raw_server

OURS: dict[str, Any] = {
    "id": "sre_1",
    "reference": "rf_1",
    "key": "rf_1-1",
    "transaction_id": "tx_1",
    "amount_minor": 500,
    "currency": "GBP",
    "status": "succeeded",
    "code": None,
}


def call(**changes: Any) -> Call:
    asked: dict[str, Any] = {
        "kind": Kind.REFUND,
        "reference": "rf_1",
        "key": "rf_1-1",
        "transaction_id": "tx_1",
        "order_id": "o-1",
        "amount_minor": 500,
        "currency": "GBP",
        "reason": None,
        "may_send": lambda: True,
    }
    return Call(**{**asked, **changes})


def gateway_at(url: str, grade: str = "A") -> Gateway:
    return open_gateway(
        kind="sandbox",
        base_url=url,
        api_key="sandbox",
        grade=grade,
        key_life=timedelta(hours=24),
        settling=timedelta(seconds=1),
        call_limit_seconds=1,
        max_in_flight=4,
    )


def said(status: int, body: Any, *, more: str = "", grade: str = "A", look: bool = False) -> Any:
    """What the gateway makes of this answer."""

    async def speak(visit: Visit) -> None:
        await visit.answer(json.dumps(body).encode(), status=status, more=more)

    async def work() -> Any:
        async with raw_server(speak) as server:
            gateway = gateway_at(server.url(), grade)
            told = await (gateway.look_up(call()) if look else gateway.pay(call()))
            await gateway.close()
            return told

    return asyncio.run(work())


def error(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": "told"}}
