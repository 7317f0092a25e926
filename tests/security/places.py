"""Where a text can stand in what services send: every text field of a refund, at any depth, and the key."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

Document = dict[str, Any]
Place = Callable[[str], Document]

PAYMENT: Document = {
    "order_id": "7001",
    "transaction_id": "pay_7001",
    "captured_amount": "100.00",
    "currency": "GBP",
}


def _field(name: str, *, beside: Mapping[str, Any] = MappingProxyType({})) -> Place:
    return lambda text: {**beside, name: text}


REFUND: Mapping[str, Place] = {
    **{
        name: _field(name)
        for name in (
            *("order_id", "transaction_id", "amount", "currency", "account", "gateway", "mode", "reason"),
            *("shipping_amount", "adjustment_positive", "refundable_seen", "callback_url", "unknown"),
        )
    },
    "notify": lambda text: {"notify": [text]},
    "metadata value": lambda text: {"metadata": {"note": text}},
    "metadata key": lambda text: {"metadata": {text: "note"}},
    "unknown key": lambda text: {text: "note"},
    "item": lambda text: {"items": [{"sku": "1", "amount": "1.00"}, {"sku": text, "amount": "1.00"}]},
    "item's description": lambda text: {"items": [{"sku": "1", "amount": "1.00", "description": text}]},
    "item's order_item_id": lambda text: {"items": [{"order_item_id": text, "amount": "1.00"}]},
    "deep": lambda text: {"metadata": {"a": [{"b": [[{"c": text}]]}]}},
    "payment": lambda text: {"payment": {**PAYMENT, "transaction_id": text}},
    "payment's method": lambda text: {"payment": {**PAYMENT, "method": text}},
    "payment's metadata": lambda text: {"payment": {**PAYMENT, "metadata": {"note": text}}},
}

REGISTERED: Mapping[str, Place] = {
    **{name: _field(name, beside=PAYMENT) for name in (*PAYMENT, "method", "gateway")},
    "item": lambda text: {**PAYMENT, "items": [{"sku": text, "amount": "1.00"}]},
    "metadata": lambda text: {**PAYMENT, "metadata": {"note": text}},
}


def split(halves: tuple[str, str]) -> Document:
    """A number over two neighbouring fields."""
    return {"metadata": {"pan_first": halves[0], "pan_last": halves[1]}}
