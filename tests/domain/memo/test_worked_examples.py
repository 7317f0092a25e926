"""The worked figures of Magento's own unit tests of the tax and shipping collectors, and one order of ours.

Magento 2, `Order/Creditmemo/Total/{TaxTest,ShippingTest}`: inputs and expected figures.
"""

from dataclasses import replace
from typing import Any

import pytest

from refunds.domain.memo import php
from refunds.domain.memo.collectors import ShippingError, collect_shipping
from refunds.domain.memo.draft import Draft, Item
from refunds.domain.memo.order import Invoice, InvoiceSums, Line, LineSums, Order, OrderSums, Side
from refunds.domain.memo.rules import RULES, Settings, Shop
from refunds.domain.memo.tax import collect_tax
from tests.domain.memo.shops import after, amount, asking, case, line, memo, order, refusal

_RULES = RULES[Shop.MAGENTO_2_4]


def _item(number: int, *, qty: float, of: float, **sums: float) -> Item:
    one = Line(
        line=number,
        name=f"S{number}",
        qty_ordered=of,
        qty_invoiced=of,
        qty_refunded=sums.pop("qty_refunded", 0.0),
        qty_canceled=0.0,
        sums={side: LineSums(**sums) for side in Side},
    )
    return Item(line=one, qty=qty, rules=_RULES)


def _draft(*items: Item, before: float, weee: float = 0.0, shipping: float = 0.0, **more: Any) -> Draft:
    sums = {side: OrderSums(**more.pop("of", {})) for side in (Side.ORDER,)}
    sums[Side.BASE] = more.pop("base", sums[Side.ORDER])
    held = Order(
        state="processing",
        status="processing",
        base_currency="USD",
        base_to_order_rate=1.0,
        sums=sums,
        lines=tuple(item.line for item in items),
    )
    draft = Draft(
        rules=_RULES, settings=more.pop("settings", Settings()), order=held, items=list(items), **more
    )
    for _, memo_sums, _ in draft.sides():
        memo_sums.grand, memo_sums.tax, memo_sums.shipping = before, weee, shipping
    return draft


def _invoice(**sums: float) -> Invoice:
    return Invoice(sums={side: InvoiceSums(**sums) for side in Side})


def _tax_and_grand(draft: Draft) -> tuple[float, float]:
    collect_tax(draft)
    sums = draft.sums[Side.BASE]
    return round(sums.tax, 2), round(sums.grand, 2)


def test_a_partial_memo_of_an_invoice_with_its_shipping() -> None:
    draft = _draft(
        _item(0, qty=1, of=1, tax_invoiced=8.11),
        _item(1, qty=1, of=2, tax_invoiced=16.22),
        before=198.0,
        weee=0.82,
        shipping=30.0,
        of={"shipping": 30.0, "shipping_tax": 2.45, "tax_invoiced": 27.60},
        invoice=_invoice(shipping_tax=2.45, tax=24.33),
    )
    assert _tax_and_grand(draft) == (19.49, 216.67)


def test_no_more_tax_than_the_invoice_has() -> None:
    draft = _draft(
        _item(0, qty=2, of=2, tax_invoiced=8.26),
        before=136.65,
        weee=1.65,
        shipping=15.0,
        of={"shipping": 15.0, "shipping_tax": 1.24, "tax_invoiced": 11.14},
        invoice=_invoice(shipping_tax=1.24, tax=11.14),
    )
    assert _tax_and_grand(draft) == (11.14, 146.14)


@pytest.mark.parametrize(
    ("refunded", "shipping", "expected"), [(11.14, 0.0, (4.94, 64.94)), (9.90, 7.5, (5.56, 65.56))]
)
def test_the_last_memo_without_the_whole_shipping_takes_no_rest(
    refunded: float, shipping: float, expected: tuple[float, float]
) -> None:
    draft = _draft(
        _item(0, qty=1, of=3, qty_refunded=2.0, tax_invoiced=12.38, tax_refunded=8.26),
        before=60.82,
        weee=0.82,
        shipping=shipping,
        of={"shipping": 15.0, "shipping_tax": 1.24, "tax_invoiced": 16.09, "tax_refunded": refunded},
        invoice=_invoice(shipping_tax=1.24, tax=16.09, tax_of_memos=refunded),
    )
    assert _tax_and_grand(draft) == expected


def test_compensation_is_shared_like_tax() -> None:
    draft = _draft(
        _item(0, qty=1, of=2, tax_invoiced=7.62, compensation_invoiced=7.62),
        before=52.38,
        weee=0.76,
        of={"tax_invoiced": 9.14, "compensation_invoiced": 7.62},
    )
    assert _tax_and_grand(draft) == (4.57, 60.0)


def test_a_whole_discount_is_made_good_by_its_compensation() -> None:
    items = (
        _item(0, qty=1, of=1, tax_invoiced=0.0, compensation_invoiced=9.09),
        _item(1, qty=0, of=1, tax_invoiced=0.0, compensation_invoiced=9.09),
    )
    draft = _draft(*items, before=-9.09, of={"compensation_invoiced": 18.18})
    assert _tax_and_grand(draft) == (0.0, 0.0)
    assert items[1].sums[Side.BASE].tax is None


@pytest.mark.parametrize(("shop", "grand"), [(Shop.MAGENTO_2_4, 13.40), (Shop.MAGENTO_2_2, 14.76)])
def test_shipping_that_a_discount_pays_keeps_the_rest_in_2_4(shop: Shop, grand: float) -> None:
    draft = _draft(
        _item(0, qty=1, of=1, tax_invoiced=1.22, compensation_invoiced=1.73),
        before=10.45,
        of={
            "shipping": 13.64,
            "shipping_discount": 15.0,
            "shipping_compensation": 1.36,
            "tax_invoiced": 1.22,
            "compensation_invoiced": 1.73,
        },
    )
    draft.rules = RULES[shop]
    assert _tax_and_grand(draft) == (1.22, grand)


def test_a_memo_of_an_invoice_after_one_of_the_order() -> None:
    draft = _draft(
        _item(0, qty=1, of=1, tax_invoiced=20.0),
        before=200.0,
        of={"tax_invoiced": 30.0, "tax_refunded": 10.0},
        invoice=_invoice(tax=30.0),
    )
    assert _tax_and_grand(draft) == (20.0, 220.0)


def _shipped(asked: float | None, *, settings: Settings | None = None, **of: float) -> Draft:
    sums = {"shipping": 10.0, "shipping_incl_tax": 12.0, "shipping_tax": 2.0, "shipping_refunded": 5.0} | of
    base = OrderSums(**{name: value * 2 for name, value in sums.items()})
    return _draft(before=100.0, of=sums, base=base, shipping_asked=asked, settings=settings or Settings())


def _shipping_of(draft: Draft) -> tuple[float, float | None, float, float | None, float]:
    collect_shipping(draft)
    mine, base = draft.sums[Side.ORDER], draft.sums[Side.BASE]
    return mine.shipping, mine.shipping_incl_tax, base.shipping, base.shipping_incl_tax, mine.grand


def test_no_shipping_named_is_all_that_is_left() -> None:
    assert _shipping_of(_shipped(None, shipping_tax_refunded=1.0)) == (5.0, 6.0, 10.0, 12.0, 105.0)


def test_the_most_shipping_and_a_part_of_it() -> None:
    assert _shipping_of(_shipped(10.0)) == (5.0, 6.0, 10.0, 12.0, 105.0)
    assert _shipping_of(_shipped(5.0)) == (2.5, 3.0, 5.0, 6.0, 102.5)


def test_more_shipping_than_is_left_names_the_most() -> None:
    with pytest.raises(ShippingError) as caught:
        collect_shipping(_shipped(10.02))
    assert caught.value.most == 10.0


def test_the_most_shipping_asked_for_with_tax() -> None:
    draft = _shipped(
        24.0,
        settings=Settings(shipping_with_tax=True),
        shipping=15.0,
        shipping_tax=3.0,
        shipping_incl_tax=18.0,
        shipping_tax_refunded=1.0,
    )
    assert _shipping_of(draft)[:4] == (10.0, 12.0, 20.0, 24.0)


def test_shipping_with_tax_after_discount_counts_what_earlier_memos_gave() -> None:
    draft = _shipped(
        None,
        settings=Settings(shipping_with_tax=True, tax_after_discount=True),
        shipping=14.55,
        shipping_incl_tax=15.0,
        shipping_refunded=7.27,
        shipping_incl_tax_of_memos=8.0,
    )
    draft.sums[Side.ORDER].grand = 27.0
    collect_shipping(draft)
    mine = draft.sums[Side.ORDER]
    assert (php.rounded(mine.shipping), mine.shipping_incl_tax) == (7.28, 7.0)
    assert php.rounded(mine.grand) == 34.28


def test_an_item_that_is_not_last_takes_its_share_with_the_remainder() -> None:
    items = [_item(number, qty=1, of=3, tax_invoiced=0.01) for number in range(3)]
    draft = _draft(*items, before=0.0, of={"tax_invoiced": 0.03})
    collect_tax(draft)
    assert [item.sums[Side.BASE].tax for item in items] == [0.0, 0.01, 0.0]
    assert draft.sums[Side.ORDER].tax == replace(draft).sums[Side.BASE].tax == 0.01


_THREE_MEMOS = (
    ({0: 1, 1: 0}, {"shipping_amount": 2.65, "adjustment_positive": 1, "adjustment_negative": 0.5}, "6.65"),
    ({0: 1, 1: 0}, {"shipping_amount": 0}, "3.28"),
    ({0: 1, 1: 1}, {"adjustment_negative": 0.5}, "13.96"),
)


@pytest.mark.parametrize("shop", ["1", "2.2", "2.4"])
def test_three_memos_add_up_to_what_was_paid(shop: str) -> None:
    of = order(
        total_paid="23.89",
        shipping_amount="7.95",
        shipping_tax_amount="0.66",
        shipping_incl_tax="8.61",
        tax_invoiced="1.95",
    )
    lines = (
        line(0, qty="3", row="10.00", discount_invoiced="1.00", tax_invoiced="0.83"),
        line(1, qty="1", row="5.55", discount_invoiced="0.56", tax_invoiced="0.46"),
    )
    now = case(None, *lines, shop=shop, of=of)
    rows = []
    for qtys, arguments, grand in _THREE_MEMOS:
        now["input"] = asking(shop, qtys, **arguments)
        if arguments == {"adjustment_negative": 0.5}:
            over = now | {"input": asking(shop, qtys)}
            assert refusal(over)[0] == "over_paid"
            assert "13.96" in refusal(over)[1]
        made = memo(now)
        assert amount(made, "grand_total") == amount({"grand": grand}, "grand")
        rows.append(tuple(str(amount(made["items"][0], name).normalize()) for name in _PER_ITEM))
        now = after(now, made)
    assert rows == [("3.33", "0.33", "0.28"), ("3.34", "0.34", "0.28"), ("3.33", "0.33", "0.27")]
    assert amount(now["order"], "base_total_refunded") == amount(of, "total_paid")


_PER_ITEM = ("row_total", "discount_amount", "tax_amount")
