"""One case: an order, what is asked for, what the shop answered; our answer, and where the two differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from refunds.domain.memo import php
from refunds.domain.memo.asked import InvalidInputError, asked_of_magento_1, asked_of_magento_2
from refunds.domain.memo.fields import fields_of
from refunds.domain.memo.making import crashed, make
from refunds.domain.memo.order import Invoice, InvoiceSums, Order
from refunds.domain.memo.reading import CaseError, mapping, read_invoice, read_order
from refunds.domain.memo.reasons import Reason, Refused, recorded_reasons
from refunds.domain.memo.rules import RULES, Rules, Settings, Shop

_SHIPPING_WITH_TAX: Final = 2
_EXACT: Final = Decimal("0.005")
_TIE: Final = Decimal("0.0101")
"""One cent, and what the fourth decimal may add."""
_STORE_CREDIT_ARGUMENT: Final = 3
_NOT_AMOUNTS: Final = frozenset(
    {"line", "items", "comments", "order_currency_code", "invoice_id", "transaction_id"}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the shop would answer: the fields of the memo, or the refusal."""

    creditmemo: Mapping[str, Any] | None = None
    refused: Refused | None = None

    def document(self) -> dict[str, Any]:
        """As JSON: `ok` with `creditmemo`, or with `error` (the shop's words) and `reason` (its class)."""
        if self.refused is None:
            return {"ok": True, "creditmemo": self.creditmemo}
        return {"ok": False, "error": self.refused.message, "reason": self.refused.reasons[0].value}


def answer(case: Mapping[str, Any]) -> Answer:
    """The shop's answer to a case with `order`, `items` and `input`.

    A case with `via` is Magento 2's, any other Magento 1's; `version` names one of rules.Shop instead. One
    with `via` invoice needs `invoice`: without, the order was paid offline, and no such invoice is credited.
    Raises reading.CaseError for a case that is none.
    """
    rules = _rules(case)
    if "order" in case and case["order"] is None:
        return Answer(refused=_unknown_order(rules))
    order = read_order(case.get("order"), case.get("items"), rules)
    settings = _settings(case)
    invoice = read_invoice(case["invoice"], rules) if case.get("invoice") is not None else None
    extra = case.get("extra_args") or []
    if not isinstance(extra, list):
        raise CaseError("extra_args", "must be a list")
    made = _made(case, order, rules, settings, invoice, extra)
    if isinstance(made, Refused):
        return Answer(refused=made)
    return Answer(creditmemo=made)


def differences(case: Mapping[str, Any], ours: Answer) -> list[str]:
    """What differs from the case's `result`: totals and item amounts by more than half a cent, or the reason.

    Where the case is tagged `float_tie` one cent is allowed. A field without a value counts as zero.
    """
    result = mapping(case.get("result"), "result")
    if "ok" not in result:
        raise CaseError("result.ok", "is missing")
    if bool(result["ok"]) != (ours.refused is None):
        told = "the shop made a memo" if result["ok"] else "the shop refused"
        return [f"ok: {told}, we {_told(ours)}"]
    if ours.refused is not None:
        theirs, mine = recorded_reasons(result), ours.refused.reasons
        return [] if _is_same(theirs, mine) else [f"reason: {_listed(theirs)}, ours {_listed(mine)}"]
    tags = case.get("tags")
    allowed = _TIE if isinstance(tags, list) and "float_tie" in tags else _EXACT
    theirs_memo = mapping(result.get("creditmemo"), "result.creditmemo")
    found = _differing(theirs_memo, ours.creditmemo or {}, "", allowed)
    return found + _differing_items(theirs_memo, ours.creditmemo or {}, allowed)


def _made(
    case: Mapping[str, Any],
    order: Order,
    rules: Rules,
    settings: Settings,
    invoice: Invoice | None,
    extra: list[Any],
) -> Refused | dict[str, Any]:
    lines = frozenset(line.line for line in order.lines)
    asking = case.get("input")
    try:
        asked = asked_of_magento_2(asking, lines) if rules.is_magento_2 else asked_of_magento_1(asking, lines)
    except InvalidInputError as error:
        return Refused((Reason.INVALID_INPUT,), str(error))
    except php.ShopCrashError as error:
        if not rules.is_magento_2:
            # Magento 1 looks at the order before it looks at the quantities.
            early = make(order=order, asked=asked_of_magento_1(None, lines), rules=rules, settings=settings)
            if isinstance(early, Refused) and early.reasons == (Reason.CANNOT_BE_CREATED,):
                return early
        return crashed(error)
    of_invoice = case.get("via") == "invoice"
    draft = make(
        order=order,
        asked=asked,
        rules=rules,
        settings=settings,
        invoice=_whole_order(order) if of_invoice and invoice is None else invoice,
        invoice_allows=not (of_invoice and invoice is None),
        to_store_credit=len(extra) > _STORE_CREDIT_ARGUMENT and php.is_true(extra[_STORE_CREDIT_ARGUMENT]),
    )
    if isinstance(draft, Refused):
        return draft
    return fields_of(draft, comment=_comment(asking, extra, rules))


def _whole_order(order: Order) -> Invoice:
    """The invoice of an order that has one: everything that was invoiced."""
    sums = {
        side: InvoiceSums(
            shipping=of_order.shipping,
            shipping_tax=of_order.shipping_tax,
            shipping_compensation=of_order.shipping_compensation,
            tax=of_order.tax_invoiced,
        )
        for side, of_order in order.sums.items()
    }
    return Invoice(sums=sums, qtys={line.line: line.qty_invoiced for line in order.lines})


def _unknown_order(rules: Rules) -> Refused:
    words = "Requested entity doesn't exist" if rules.is_magento_2 else "Requested order not exists."
    return Refused((Reason.ORDER_UNKNOWN,), words)


def _rules(case: Mapping[str, Any]) -> Rules:
    named = case.get("version")
    if named is None:
        return RULES[Shop.MAGENTO_1 if case.get("via") is None else Shop.MAGENTO_2_2]
    try:
        return RULES[Shop(named)]
    except ValueError:
        raise CaseError("version", f"must be one of {', '.join(Shop)}") from None


def _settings(case: Mapping[str, Any]) -> Settings:
    store = mapping(case.get("store") or {}, "store")
    return Settings(
        shipping_with_tax=php.number(store.get("tax/sales_display/shipping")) == _SHIPPING_WITH_TAX,
        tax_after_discount=php.number(store.get("tax/calculation/apply_after_discount")) == 1,
        zero_total_allowed=php.number(store.get("sales/zerograndtotal_creditmemo/allow_zero_grandtotal"))
        == 1,
    )


def _comment(asking: Any, extra: list[Any], rules: Rules) -> str | None:
    if rules.is_magento_2:
        comment = asking.get("comment") if isinstance(asking, Mapping) else None
        words = comment.get("comment") if isinstance(comment, Mapping) else None
    else:
        words = extra[0] if extra else None
    return words if isinstance(words, str) and php.is_true(words) else None


def _differing(theirs: Mapping[str, Any], ours: Mapping[str, Any], where: str, allowed: Decimal) -> list[str]:
    found = []
    for name, mine in ours.items():
        if name in _NOT_AMOUNTS or name not in theirs or isinstance(mine, bool):
            continue
        value = theirs[name]
        if abs(_decimal(value, f"{where}{name}") - _decimal(mine, f"{where}{name}")) >= allowed:
            found.append(f"{where}{name}: {value}, ours {mine}")
    return found


def _differing_items(theirs: Mapping[str, Any], ours: Mapping[str, Any], allowed: Decimal) -> list[str]:
    listed = theirs.get("items", [])
    if not isinstance(listed, list):
        raise CaseError("result.creditmemo.items", "must be a list")
    items = {mapping(item, "result.creditmemo.items").get("line"): item for item in listed}
    mine = {item["line"]: item for item in ours["items"]}
    if items.keys() != mine.keys():
        return [f"items: lines {_listed(items)}, ours {_listed(mine)}"]
    return [
        line
        for number, item in items.items()
        for line in _differing(item, mine[number], f"items[{number}].", allowed)
    ]


def _decimal(value: Any, where: str) -> Decimal:
    if value is None:
        return Decimal(0)
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise CaseError(f"result.creditmemo.{where}", "is not a number") from None
    if not amount.is_finite():
        raise CaseError(f"result.creditmemo.{where}", "is not a number")
    return amount


def _is_same(theirs: tuple[Reason, ...], ours: tuple[Reason, ...]) -> bool:
    if theirs == (Reason.CRASH,):
        # A shop's crash says nothing of why; what is asked of us is a clear refusal.
        return True
    invoice = Reason.INVOICE_CANNOT_BE_CREDITED
    return set(theirs) == set(ours) or (invoice in theirs and invoice in ours)


def _told(ours: Answer) -> str:
    return "made one" if ours.refused is None else f"refused: {ours.refused.message}"


def _listed(names: Any) -> str:
    return ", ".join(map(str, names)) or "none"
