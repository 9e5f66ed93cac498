"""Which calls a fault befalls."""

from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from waybill.sandbox.faults import Fault, FaultBook


def book(*faults: dict[str, Any]) -> FaultBook:
    made = FaultBook(Random(1))
    for fault in faults:
        made.add(Fault.model_validate(fault))
    return made


def test_a_fault_befalls_its_partner_alone():
    faults = book({"partner": "zuora", "mode": "hang"})
    assert faults.strike("salesforce", "/v1/orders") is None
    assert faults.strike("zuora", "/v1/orders") is not None


@pytest.mark.parametrize(
    "path", ["/v1/orders", "/zuora/v1/orders", "/v1/o", "/v1/*", "*/orders", "/v?/orders"]
)
def test_a_path_is_a_prefix_or_a_glob_with_or_without_the_partner(path: str):
    faults = book({"partner": "zuora", "mode": "hang", "path": path})
    assert faults.strike("zuora", "/v1/orders") is not None
    assert faults.strike("zuora", "/oauth/token") is None


def test_a_counted_fault_wears_off_and_the_next_takes_over():
    faults = book(
        {"partner": "zuora", "mode": "status", "status": 500, "count": 2},
        {"partner": "zuora", "mode": "status", "status": 429},
    )
    struck = [faults.strike("zuora", "/") for _ in range(3)]
    assert [fault and fault.answered for fault in struck] == [500, 500, 429]


def test_a_rate_is_kept_and_repeats_with_its_seed():
    def struck() -> list[bool]:
        faults = book({"partner": "zuora", "mode": "hang", "rate": 0.3})
        return [faults.strike("zuora", "/") is not None for _ in range(1000)]

    assert struck() == struck()
    assert 250 < sum(struck()) < 350


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ({"partner": "nobody", "mode": "hang"}, "partner"),
        ({"mode": "hang"}, "partner"),
        ({"partner": "zuora", "mode": "explode"}, "mode"),
        ({"partner": "zuora", "mode": "status", "status": 200}, "status"),
        ({"partner": "zuora", "mode": "status", "status": "503"}, "status"),
        ({"partner": "zuora", "mode": "hang", "rate": 1.5}, "rate"),
        ({"partner": "zuora", "mode": "hang", "count": 0}, "count"),
        ({"partner": "zuora", "mode": "hang", "paths": "/"}, "paths"),
    ],
)
def test_a_fault_that_is_not_understood_names_the_field(fault: dict[str, Any], field: str):
    with pytest.raises(ValidationError) as refused:
        Fault.model_validate(fault)
    assert refused.value.errors()[0]["loc"] == (field,)


def test_a_method_narrows_a_fault_down():
    faults = book({"partner": "zuora", "mode": "hang", "method": "POST"})
    assert faults.strike("zuora", "/v1/orders", "GET") is None
    assert faults.strike("zuora", "/v1/orders", "POST") is not None


def test_the_first_calls_may_pass():
    faults = book({"partner": "zuora", "mode": "hang", "skip": 2, "count": 1})
    assert [faults.strike("zuora", "/") is not None for _ in range(4)] == [
        False,
        False,
        True,
        False,
    ]


def test_a_reason_has_a_code_which_may_be_a_number():
    fault = Fault.model_validate({"partner": "zuora", "mode": "reason", "code": 53100350})
    assert fault.code == "53100350"
    for wrong in ({"mode": "reason"}, {"mode": "hang", "code": "1"}):
        with pytest.raises(ValidationError):
            Fault.model_validate({"partner": "zuora", **wrong})
