"""The refundable balance of a payment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.domain.balance import Balance, Shortfall

_sums = st.integers(0, 10**15)
_balances = st.builds(
    Balance,
    captured_minor=_sums,
    refunded_minor=_sums,
    reserved_minor=_sums,
    external_minor=_sums,
    disputed_minor=_sums,
    excess_minor=st.just(0) | _sums,
)


def test_everything_captured_is_refundable_at_first() -> None:
    assert Balance(10_000).refundable_minor == 10_000


def test_refunded_reserved_external_and_disputed_money_is_not_refundable() -> None:
    balance = Balance(
        10_000, refunded_minor=1_000, reserved_minor=200, external_minor=30, disputed_minor=4, excess_minor=0
    )

    assert balance.refundable_minor == 10_000 - 1_234


@pytest.mark.parametrize("excess", [1, 10_000])
def test_nothing_new_is_taken_while_outside_facts_took_too_much(excess: int) -> None:
    balance = Balance(10_000, excess_minor=excess)

    assert balance.refundable_minor == 0
    assert balance.shortfall(1) is Shortfall.EXCEEDS_REMAINING


@pytest.mark.parametrize(
    ("amount", "shortfall"),
    [
        (3_999, None),
        (4_000, None),
        (4_001, Shortfall.EXCEEDS_REMAINING),
        (9_999, Shortfall.EXCEEDS_REMAINING),
        (10_000, Shortfall.EXCEEDS_REMAINING),
        (10_001, Shortfall.EXCEEDS_CAPTURED),
    ],
)
def test_an_amount_fits_up_to_what_remains_and_a_shortfall_says_why(
    amount: int, shortfall: Shortfall | None
) -> None:
    assert Balance(10_000, refunded_minor=5_000, reserved_minor=1_000).shortfall(amount) is shortfall


def test_a_payment_that_captured_nothing_refunds_nothing() -> None:
    assert Balance(0).shortfall(1) is Shortfall.EXCEEDS_CAPTURED


@given(balance=_balances)
def test_the_refundable_balance_is_never_negative_and_never_above_the_capture(balance: Balance) -> None:
    assert 0 <= balance.refundable_minor <= balance.captured_minor


@given(balance=_balances, amount=st.integers(1, 2 * 10**15))
def test_what_fits_never_takes_the_payment_beyond_its_capture(balance: Balance, amount: int) -> None:
    taken = balance.refunded_minor + balance.reserved_minor + balance.external_minor + balance.disputed_minor

    fits = balance.shortfall(amount) is None

    assert fits == (amount <= balance.refundable_minor)
    if fits:
        assert taken + amount <= balance.captured_minor
