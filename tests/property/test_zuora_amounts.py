"""Money keeps its value on its way to Zuora, whatever amounts an order has."""

from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.connectors.zuora.amounts import amount_of, json_amount, payable, text_amount
from plugins.connectors.zuora.envelope import StoppedError

PLACES = {"GBP": 2, "EUR": 2, "JPY": 0, "KWD": 3}
currencies = st.sampled_from(sorted(PLACES))
amounts = st.decimals(min_value="0.001", max_value="9999999999", places=3)


@given(amounts, currencies)
def test_an_amount_comes_back_from_json_as_it_went_in(amount, currency):
    wanted = amount.quantize(Decimal(1).scaleb(-PLACES[currency]), "ROUND_HALF_UP")
    sent = orjson.loads(orjson.dumps(json_amount(amount, currency)))
    assert Decimal(str(sent)) == wanted
    assert Decimal(text_amount(amount, currency)) == wanted
    assert amount_of(sent) == amount_of(str(sent)) == wanted


@given(amounts, currencies)
def test_what_is_moved_is_exactly_what_the_order_says_or_nothing(amount, currency):
    if amount == round(amount, PLACES[currency]):
        assert payable(str(amount), "refund.amount", currency) == amount
    else:
        with pytest.raises(StoppedError, match="finer"):
            payable(str(amount), "refund.amount", currency)


@given(st.decimals(max_value=0, allow_nan=False, allow_infinity=False, places=2), currencies)
def test_nothing_and_less_is_never_moved(amount, currency):
    with pytest.raises(StoppedError, match="above 0"):
        payable(str(amount), "total.amount", currency)
