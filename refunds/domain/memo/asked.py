"""What a memo is asked for: quantities, shipping, adjustments, as the shops read the arguments of their APIs.

Magento 1: `Creditmemo/Api::create`, `Service/Order`, `Locale::getNumber`. Magento 2:
`Webapi/ServiceInputProcessor` and the two services `RefundOrder` and `RefundInvoice`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from refunds.domain.memo import php

_LINE_KEY: Final = re.compile(r"L([0-9]{1,9})", re.ASCII)


class InvalidInputError(Exception):
    """Magento 2 refuses an argument by its type; the message is the shop's."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, cast as the shop casts it; amounts in base currency."""

    qtys: Mapping[int, float] = field(default_factory=dict[int, float])
    """Quantity by line. Keys that are no line of the order are left out."""
    names_items: bool = False
    """Whether any quantity was named at all: if not, the memo takes everything that is left."""
    named: tuple[tuple[int | None, float], ...] = ()
    """Magento 2: every item of the request in its order, None for one that is no line of the order."""
    lacks_id: bool = False
    """Magento 2: an item without the id of its line."""
    shipping: float | None = None
    adjustment_positive: float | None = None
    adjustment_negative: float | None = None


def asked_of_magento_1(data: Any, lines: frozenset[int]) -> Asked:
    """The second argument of `sales_order_creditmemo.create`; the key `L0` stands for the id of line 0.

    Raises php.ShopCrashError where the shop dies of a type.
    """
    if not isinstance(data, Mapping):
        # PHP finds no key in a number or a text, so the memo takes everything.
        return Asked()
    named = _named_of_magento_1(data.get("qtys"))
    qtys = {
        line: php.number(value)
        for key, value in named.items()
        if (line := _line_of_key(key, lines)) is not None and value is not None
    }
    shipping = data.get("shipping_amount")
    return Asked(
        qtys=qtys,
        names_items=bool(named),
        shipping=None if shipping is None else php.number(_local_number(shipping)),
        adjustment_positive=_adjustment_of_magento_1(data.get("adjustment_positive")),
        adjustment_negative=_adjustment_of_magento_1(data.get("adjustment_negative")),
    )


def _named_of_magento_1(qtys: Any) -> dict[str, Any]:
    if qtys is None:
        return {}
    if not isinstance(qtys, list | Mapping):
        raise php.ShopCrashError("the quantities are no list")
    pairs = qtys.items() if isinstance(qtys, Mapping) else enumerate(qtys)
    named: dict[str, Any] = {}
    for key, value in pairs:
        if not isinstance(value, list | Mapping):
            named[_array_key(key)] = _local_number(value)
        elif isinstance(value, Mapping):
            item, qty = value.get("order_item_id"), value.get("qty")
            if item is not None and qty is not None:
                named[_array_key(item)] = _local_number(qty)
    return named


def _array_key(key: Any) -> str:
    if isinstance(key, list | Mapping):
        raise php.ShopCrashError("an id is a list")
    return str(key)


def _line_of_key(key: str, lines: frozenset[int]) -> int | None:
    found = _LINE_KEY.fullmatch(key)
    return int(found[1]) if found and int(found[1]) in lines else None


def _local_number(value: Any) -> Any:
    """`Locale::getNumber`: the last of comma and point is the decimal sign, spaces and apostrophes go."""
    match value:
        case bool() | list() | dict() | None:
            return value
        case str():
            plain = value.replace("'", "").replace(" ", "")
            comma, point = plain.find(","), plain.find(".")
            if comma >= 0 and point >= 0:
                plain = plain.replace(".", "").replace(",", ".") if comma > point else plain.replace(",", "")
            else:
                plain = plain.replace(",", ".")
            return php.number(plain)
        case _:
            return php.number(value)


def _adjustment_of_magento_1(value: Any) -> float | None:
    """`Creditmemo::setAdjustmentPositive`: by then a share such as `10%` has become the number 10."""
    if value is None:
        return None
    local = _local_number(value)
    if local is False or isinstance(local, list | Mapping):
        raise php.ShopCrashError("an adjustment is no number")
    written = php.text(php.number(local))
    if not php.is_numeric(written):
        raise php.ShopCrashError("an adjustment is no number")
    return php.number(written)


def asked_of_magento_2(body: Any, lines: frozenset[int]) -> Asked:
    """The JSON body of `POST /V1/order/{id}/refund`, with `line` in the place of `order_item_id`.

    Unknown keys at the top are ignored. Raises InvalidInputError for a value of the wrong type and
    php.ShopCrashError for an unknown key further down, as the shop does.
    """
    if not isinstance(body, Mapping):
        return Asked()
    named = _named_of_magento_2(body.get("items"))
    comment = body.get("comment")
    _check_keys(comment, _COMMENT_KEYS)
    _typed(_plain_keys(comment) if isinstance(comment, Mapping) else {}, "is_visible_on_front")
    given = body.get("arguments")
    _check_keys(given, _ARGUMENT_KEYS)
    arguments = _plain_keys(given) if isinstance(given, Mapping) else {}
    qtys: dict[int, float] = {}
    for line, qty in named:
        if isinstance(line, int) and line in lines:
            # The last of two for one line counts, and one without a quantity names nothing.
            qtys.pop(line, None)
            if qty is not None:
                qtys[line] = qty
    return Asked(
        qtys=qtys,
        names_items=bool(named),
        named=tuple((line if line in lines else None, qty or 0.0) for line, qty in named if line is not None),
        lacks_id=any(line is None for line, _ in named),
        shipping=_typed(arguments, "shipping_amount"),
        adjustment_positive=_typed(arguments, "adjustment_positive"),
        adjustment_negative=_typed(arguments, "adjustment_negative"),
    )


_ARGUMENT_KEYS = frozenset(
    {"shippingamount", "adjustmentpositive", "adjustmentnegative", "extensionattributes"}
)
_ITEM_KEYS = frozenset({"line", "orderitemid", "qty", "extensionattributes"})
_COMMENT_KEYS = frozenset({"comment", "isvisibleonfront", "extensionattributes"})
_INTEGERS = frozenset({"line", "order_item_id", "is_visible_on_front"})
_FOREIGN = -1
"""An id that is no line of the order."""


def _named_of_magento_2(items: Any) -> list[tuple[int | None, float | None]]:
    if items is None:
        return []
    if not isinstance(items, list | Mapping):
        raise php.ShopCrashError("the items are no list")
    named: list[tuple[int | None, float | None]] = []
    for item in items.values() if isinstance(items, Mapping) else items:
        _check_keys(item, _ITEM_KEYS)
        plain = _plain_keys(item) if isinstance(item, Mapping) else {}
        qty = _typed(plain, "qty")
        if "line" in plain and isinstance(plain["line"], int) and not isinstance(plain["line"], bool):
            named.append((plain["line"], qty))
        else:
            number = _typed(plain, "order_item_id") if "line" not in plain else _typed(plain, "line")
            named.append((_FOREIGN if number else None, qty))
    return named


def _check_keys(document: Any, known: frozenset[str]) -> None:
    if isinstance(document, Mapping):
        for key in document:
            if _plain(key) not in known:
                raise php.ShopCrashError(f"unknown key {str(key)[:40]!r}")


def _plain_keys(document: Mapping[str, Any]) -> dict[str, Any]:
    """Keys as accessor names find them: case and underscores do not matter."""
    return {_plain(key): value for key, value in document.items()}


def _plain(key: str) -> str:
    return key.replace("_", "").lower()


def _typed(document: Mapping[str, Any], name: str) -> float | None:
    value = document.get(_plain(name))
    if value is None:
        return None
    if not php.is_numeric(value):
        kind = "int" if name in _INTEGERS else "float"
        raise InvalidInputError(
            f'Error occurred during "{name}" processing. '
            f'Invalid type for value: "{str(value)[:40]}". Expected Type: "{kind}".'
        )
    return php.number(value)
