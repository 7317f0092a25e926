"""The cases that real shops made: every field to the fourth decimal, every refusal for the same reason."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from refunds.domain.memo.case import answer, differences
from refunds.domain.memo.reading import CaseError

EXCERPT = Path(__file__).with_name("excerpt.jsonl")
_COUNTS = {"creditmemo_cases_sample.jsonl": 34, "creditmemo_cases_m2_sample.jsonl": 30}


def _cases(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _amounts(memo: dict[str, Any]) -> dict[str, Decimal]:
    """Every amount of a memo and its items by its name; a field without a value is zero."""
    found = {}
    for name, value in memo.items():
        if isinstance(value, str) and name != "order_currency_code":
            found[name] = Decimal(value)
    for item in memo["items"]:
        found |= {f"{item['line']}.{name}": Decimal(value or 0) for name, value in item.items()}
    return {name: value for name, value in found.items() if value}


def _check_exactly(case: dict[str, Any]) -> None:
    ours = answer(case)
    assert differences(case, ours) == [], case["case_id"]
    if ours.creditmemo is not None:
        theirs = case["result"]["creditmemo"]
        assert _amounts(dict(ours.creditmemo)) == _amounts(theirs), case["case_id"]
        assert ours.creditmemo.keys() == theirs.keys()
        for mine, item in zip(ours.creditmemo["items"], theirs["items"], strict=True):
            assert mine.keys() == item.keys()


def test_every_case_of_the_excerpt_is_as_the_shop_answered() -> None:
    cases = list(_cases(EXCERPT))
    assert {"via" in case for case in cases} == {True, False}
    assert {case["result"]["ok"] for case in cases} == {True, False}
    for case in cases:
        _check_exactly(case)


@pytest.mark.shared
@pytest.mark.parametrize("name", _COUNTS)
def test_every_shared_case_is_as_the_shop_answered(shared_folder: Path, name: str) -> None:
    cases = list(_cases(shared_folder / "data" / name))
    assert len(cases) == _COUNTS[name]
    for case in cases:
        _check_exactly(case)


def _one(case_id: str) -> dict[str, Any]:
    return next(case for case in _cases(EXCERPT) if case["case_id"] == case_id)


def _told(case: dict[str, Any]) -> list[str]:
    return differences(case, answer(case))


def test_a_cent_more_is_told_with_the_field_and_both_amounts() -> None:
    case = _one("SR007-1")
    case["result"]["creditmemo"]["grand_total"] = "21.2000"
    case["result"]["creditmemo"]["items"][0]["tax_amount"] = "9.0000"
    told = _told(case)
    assert told[0] == "grand_total: 21.2000, ours 21.1900"
    assert told[1].startswith("items[0].tax_amount: 9.0000, ours ")
    assert len(told) == 2


def test_one_cent_is_allowed_where_the_shops_floats_tie() -> None:
    case = _one("SR007-1")
    case["tags"].append("float_tie")
    case["result"]["creditmemo"]["grand_total"] = "21.2000"
    assert _told(case) == []
    case["result"]["creditmemo"]["grand_total"] = "21.2100"
    assert len(_told(case)) == 1


def test_less_than_half_a_cent_is_equal_to_the_cent() -> None:
    case = _one("SR007-1")
    case["result"]["creditmemo"]["grand_total"] = "21.1949"
    assert _told(case) == []


def test_a_missing_item_is_told() -> None:
    case = _one("SC093-2")
    del case["result"]["creditmemo"]["items"][0]
    assert _told(case) == ["items: lines 1, ours 0, 1"]


def test_a_memo_instead_of_a_refusal_is_told_and_the_other_way_round() -> None:
    refused, made = _one("SC088-3"), _one("SC088-2")
    refused["result"], made["result"] = made["result"], refused["result"]
    assert _told(refused)[0].startswith("ok: the shop made a memo, we refused: Maximum amount available")
    assert _told(made) == ["ok: the shop refused, we made one"]


def test_another_reason_is_told() -> None:
    case = _one("SC030-1")
    case["result"] |= {"fault_string": "Maximum amount available to refund is $3.00"}
    assert _told(case) == ["reason: over_paid, ours over_shipping"]


def test_any_refusal_is_right_where_the_shop_crashed() -> None:
    case = _one("SC030-1")
    case["result"] = {"ok": False, "http_status": 500}
    assert _told(case) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"order": []}, "order"),
        ({"order": {"total_paid": "many"}}, "order.total_paid"),
        ({"order": {"total_paid": "1e999"}}, "order.total_paid"),
        ({"order": {"state": 7}}, "order.state"),
        ({"items": {}}, "items"),
        ({"items": [7]}, "items[0]"),
        ({"items": [{"line": "a"}]}, "items[0].line"),
        ({"items": [{"line": 0}, {"line": 0}]}, "items"),
        ({"items": [{"base_tax_invoiced": True}]}, "items[0].base_tax_invoiced"),
        ({"items": [{"parent_line": "0"}]}, "items[0].parent_line"),
        ({"items": [{}] * 10_001}, "items"),
        ({"store": []}, None),
        ({"store": [1]}, "store"),
        ({"version": "3"}, "version"),
        ({"extra_args": "x"}, "extra_args"),
        ({"invoice": 3}, "invoice"),
        ({"invoice": {"items": 3}}, "invoice.items"),
        ({"invoice": {"tax_amount": "x"}}, "invoice.tax_amount"),
    ],
)
def test_what_is_no_case_is_refused_by_its_field(change: dict[str, Any], field: str | None) -> None:
    case = _one("SC001-2") | change
    if field is None:
        assert answer(case)
        return
    with pytest.raises(CaseError) as caught:
        answer(case)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "result",
    [
        None,
        {},
        {"ok": True},
        {"ok": True, "creditmemo": {"items": {}}},
        {"ok": True, "creditmemo": {"items": [], "grand_total": "x"}},
        {"ok": True, "creditmemo": {"items": [], "grand_total": "NaN"}},
    ],
)
def test_a_result_that_is_none_is_refused(result: Any) -> None:
    case = _one("SR007-1") | {"result": result}
    with pytest.raises(CaseError, match="result"):
        _told(case)
