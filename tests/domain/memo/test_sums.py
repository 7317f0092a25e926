"""Whatever the order: items add up to their memo, memos to the order, and never to more than was paid."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from refunds.domain.memo.case import answer
from tests.domain.memo.shops import COMPENSATION, SHOPS, after, amount, asking, case, line, memo, order

_MOST_MEMOS = 8
_CENT = Decimal("0.01")


def _cents(value: int) -> str:
    return f"{Decimal(value) / 100:.4f}"


@st.composite
def _lines(draw: st.DrawFn, shop: str) -> list[dict[str, Any]]:
    lines = []
    for number in range(draw(st.integers(1, 4))):
        row = draw(st.integers(0, 100_000))
        discount = draw(st.integers(0, row))
        sums = {
            "row": _cents(row),
            "discount_invoiced": _cents(discount),
            "tax_invoiced": _cents(draw(st.integers(0, 2_000))),
            f"{COMPENSATION[shop]}_invoiced": _cents(draw(st.integers(0, 200))),
        }
        lines.append(line(number, qty=str(draw(st.integers(1, 7))), **sums))
    return lines


@st.composite
def _paid_orders(draw: st.DrawFn) -> dict[str, Any]:
    """An order that is wholly invoiced and paid, of any shop."""
    shop = draw(st.sampled_from(SHOPS))
    lines = draw(_lines(shop))
    called = f"{COMPENSATION[shop]}_invoiced"
    shipping, shipping_tax = draw(st.integers(0, 3_000)), draw(st.integers(0, 300))
    if shipping == 0:
        shipping_tax = 0
    tax = _sum(lines, "tax_invoiced") + Decimal(shipping_tax) / 100
    paid = _sum(lines, "row_invoiced") - _sum(lines, "discount_invoiced") + _sum(lines, called) + tax
    of = order(
        total_paid=str(paid + Decimal(shipping) / 100),
        tax_invoiced=str(tax),
        shipping_amount=_cents(shipping),
        shipping_tax_amount=_cents(shipping_tax),
        shipping_incl_tax=_cents(shipping + shipping_tax),
        **{called: str(_sum(lines, called))},
    )
    return case(None, *lines, shop=shop, of=of)


def _sum(documents: list[dict[str, Any]], name: str) -> Decimal:
    return sum((amount(document, name) for document in documents), Decimal(0))


@given(_paid_orders(), st.data())
def test_items_add_up_to_their_memo(made: dict[str, Any], data: st.DataObject) -> None:
    shop = made["version"]
    made["input"] = asking(shop, _some(made, data), shipping_amount=0)
    ours = answer(made).creditmemo
    if ours is None:
        return
    found, items = dict(ours), ours["items"]
    assert amount(found, "subtotal") == _sum(items, "row_total")
    assert amount(found, "discount_amount") == -_sum(items, "discount_amount")
    assert amount(found, "subtotal_incl_tax") == _sum(items, "row_total_incl_tax")
    compensation = f"{COMPENSATION[shop]}_amount"
    names = ("subtotal", "discount_amount", "tax_amount", compensation, "shipping_amount", "adjustment")
    assert amount(found, "grand_total") == sum(amount(found, name) for name in names)
    if shop == "1":
        assert amount(found, "tax_amount") == _sum(items, "tax_amount") + amount(found, "shipping_tax_amount")


def _some(made: dict[str, Any], data: st.DataObject) -> dict[int, int]:
    left = {
        one["line"]: int(amount(one, "qty_invoiced") - amount(one, "qty_refunded")) for one in made["items"]
    }
    return {number: data.draw(st.integers(0, most)) for number, most in left.items()}


@given(_paid_orders(), st.data())
def test_memos_add_up_to_the_whole_order(made: dict[str, Any], data: st.DataObject) -> None:
    shop, now = made["version"], made
    for _ in range(data.draw(st.integers(0, _MOST_MEMOS))):
        asked = now | {"input": asking(shop, _some(now, data), shipping_amount=0)}
        ours = answer(asked).creditmemo
        if ours is not None:
            now = after(now, dict(ours))
    last = now | {"input": asking(shop)}
    ours = answer(last).creditmemo
    if ours is not None:
        now = after(now, dict(ours))
    whole, of = made["order"], now["order"]
    left = amount(whole, "total_paid") - amount(of, "total_refunded")
    assert left == 0
    assert amount(of, "base_total_refunded") == amount(whole, "base_total_paid")
    for one in now["items"]:
        if amount(one, "qty_refunded") != amount(one, "qty_invoiced"):
            continue
        assert amount(one, "amount_refunded") == amount(one, "row_invoiced")
        assert amount(one, "discount_refunded") == amount(one, "discount_invoiced")
        assert amount(one, "tax_refunded") == amount(one, "tax_invoiced")


@given(_paid_orders(), st.data())
def test_no_memo_gives_back_more_than_was_paid(made: dict[str, Any], data: st.DataObject) -> None:
    now = made
    for _ in range(data.draw(st.integers(1, _MOST_MEMOS))):
        arguments = {
            "adjustment_positive": data.draw(st.integers(-500, 100_000)) / 100,
            "adjustment_negative": data.draw(st.integers(0, 500)) / 100,
            "shipping_amount": data.draw(st.integers(0, 3_000)) / 100,
        }
        now["input"] = asking(now["version"], _some(now, data), **arguments)
        ours = answer(now).creditmemo
        if ours is not None:
            now = after(now, dict(ours))
        assert amount(now["order"], "base_total_refunded") <= amount(now["order"], "base_total_paid")


@given(_paid_orders())
def test_a_memo_of_everything_is_what_was_paid(made: dict[str, Any]) -> None:
    made["input"] = asking(made["version"])
    ours = answer(made).creditmemo
    paid = amount(made["order"], "total_paid")
    if ours is None:
        assert paid == 0
    else:
        assert memo(made)["grand_total"] == ours["grand_total"]
        assert abs(amount(dict(ours), "grand_total") - paid) < _CENT / 100
