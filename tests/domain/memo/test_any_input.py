"""Whatever is asked for, the answer is a memo or a clear refusal, and every amount of it is a decimal."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from refunds.domain.memo.case import answer
from tests.domain.memo.shops import SHOPS, case, line, order

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 5),
    st.sampled_from([10**400, -(10**400), 2**63, float("inf"), float("-inf")]),
    st.floats(-1e6, 1e6),
    st.sampled_from(["", "2", "2abc", "1,5", "1.000,5", "10%", "1e999", "-1", "INF", "\u0661", "a'b", "0x1"]),
)
_KEYS = st.sampled_from(
    [
        *("qtys", "items", "arguments", "comment", "shipping_amount", "adjustment_positive"),
        *("adjustment_negative", "line", "qty", "order_item_id", "L0", "L1", "L9", "!L0", "0", ""),
    ]
)
_ANYTHING = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4)
)


def _order_of(shop: str, given_input: Any, shown: int) -> dict[str, Any]:
    of = order(
        shipping_amount="5.00", shipping_incl_tax="6.00", shipping_tax_amount="1.00", tax_invoiced="3.00"
    )
    lines = (line(0, qty="4", row="40.00", tax_invoiced="2.00"), line(1, discount_invoiced="1.00"))
    store = {"tax/sales_display/shipping": shown}
    return case(given_input, *lines, shop=shop, of=of, store=store)


@given(st.sampled_from(SHOPS), _ANYTHING, st.sampled_from([1, 2]))
def test_any_input_is_answered(shop: str, asked: Any, shown: int) -> None:
    _check(_order_of(shop, asked, shown))


@given(st.sampled_from(SHOPS), st.dictionaries(_KEYS, _ANYTHING, min_size=1, max_size=5))
def test_any_arguments_are_answered(shop: str, asked: dict[str, Any]) -> None:
    _check(_order_of(shop, asked if shop == "1" else {"arguments": asked, "items": asked.get("items")}, 1))


def _check(made: dict[str, Any]) -> None:
    ours = answer(made)
    if ours.refused is not None:
        assert ours.refused.message
        assert ours.refused.reasons
        return
    memo = dict(ours.creditmemo or {})
    for document in (memo, *memo["items"]):
        for name, value in document.items():
            if isinstance(value, str) and name != "order_currency_code":
                assert Decimal(value).is_finite(), name
