"""How a Magento 1 reads the quantities it is asked for: spellings, keys that are no line, other types."""

from typing import Any

import pytest

from tests.domain.memo.shops import case, line, memo, refusal


def _qtys(asked: Any, *, decimal: int = 1) -> dict[int, str]:
    lines = (line(0, qty="4", row="40.00"), line(1, qty="2", row="5.00"))
    for one in lines:
        one["is_qty_decimal"] = decimal
    made = memo(case(asked, *lines))
    return {item["line"]: item["qty"].rstrip("0").rstrip(".") for item in made["items"]}


_ALL = {0: "4", 1: "2"}


@pytest.mark.parametrize(
    "asked",
    [
        None,
        {},
        [],
        "abc",
        7,
        True,
        {"qtys": None},
        {"qtys": {}},
        {"qtys": []},
        {"qtys": [{"order_item_id": "L0"}]},
        {"qtys": [[], {"qty": 1}]},
        {"qtys": [{"order_item_id": None, "qty": 1}]},
        {"quantities": {"L0": 1}},
    ],
)
def test_without_a_usable_quantity_everything_is_refunded(asked: Any) -> None:
    assert _qtys(asked) == _ALL


@pytest.mark.parametrize(
    "qtys",
    [{"L7": 1}, {"!S0": 1}, {"0": 1}, {"L": 1}, {"l0": 1}, {"L0": None}, {"L0": 0}, {"L0": -1}, [3, 4]],
)
def test_a_key_that_is_no_line_makes_a_memo_of_nothing(qtys: Any) -> None:
    assert _qtys({"qtys": qtys}) == {}


@pytest.mark.parametrize(
    ("qty", "expected"),
    [
        ("2abc", "2"),
        ("1,5", "1.5"),
        ("1'0,5", None),
        ("0 1", "1"),
        ("1.000,5", None),
        ("1,000.5", None),
        ("1,2,3", "1.2"),
        (".5", "0.5"),
        ("1e0", "1"),
        (True, "1"),
        (3.0, "3"),
        (2.5, "2.5"),
    ],
)
def test_a_quantity_is_read_as_a_number_of_the_locale(qty: Any, expected: str | None) -> None:
    if expected is None:
        assert refusal(case({"qtys": {"L0": qty}}, line(0, qty="4") | {"is_qty_decimal": 1}))[0] == "quantity"
    else:
        assert _qtys({"qtys": {"L0": qty}}) == {0: expected}


def test_fractions_of_whole_pieces_are_cut() -> None:
    assert _qtys({"qtys": {"L0": 2.9, "L1": 0.9}}, decimal=0) == {0: "2"}


def test_the_form_of_a_list_names_lines_too_and_the_last_counts() -> None:
    listed = [
        {"order_item_id": "L0", "qty": 1},
        {"order_item_id": "L1", "qty": "2"},
        {"order_item_id": "L0", "qty": 3},
    ]
    assert _qtys({"qtys": listed}) == {0: "3", 1: "2"}


def test_more_than_is_left_is_refused_by_the_name_of_the_line() -> None:
    over = case({"qtys": {"L0": 2}}, line(0) | {"name": "Cup"})
    assert refusal(over) == ("quantity", 'Invalid qty to refund item "Cup"')


@pytest.mark.parametrize("qtys", ["abc", 7, True, {"x": {"order_item_id": [], "qty": 1}}])
def test_quantities_of_another_type_crash_the_shop(qtys: Any) -> None:
    reason, words = refusal(case({"qtys": qtys}, line(0)))
    assert reason == "crash"
    assert words.startswith("the shop fails here with HTTP 500 and saves nothing: ")
