"""Amounts reach Stripe as whole small coins, to the last one, or not at all."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.connectors.stripe.talking import small_coins
from plugins.journeys import StoppedError

PLACES = {"GBP": 2, "EUR": 2, "USD": 2, "ISK": 2, "UGX": 2, "JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3}

currencies = st.sampled_from(sorted(PLACES))
coins = st.integers(min_value=0, max_value=10**12)


@given(currencies, coins)
def test_an_amount_of_whole_coins_keeps_them_all(currency: str, count: int) -> None:
    amount = Decimal(count).scaleb(-PLACES[currency])
    assert small_coins(amount, currency) == count
    assert small_coins(amount, currency.lower()) == count


@given(currencies, coins, st.integers(min_value=1, max_value=9))
def test_what_is_finer_than_a_coin_is_never_rounded(currency: str, count: int, more: int) -> None:
    amount = Decimal(count * 10 + more).scaleb(-PLACES[currency] - 1)
    with pytest.raises(StoppedError) as stopped:
        small_coins(amount, currency)
    assert stopped.value.outcome.code == "price"
