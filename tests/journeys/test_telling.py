"""What journey files may say is understood: or the journeys would hold whatever happens."""

from pathlib import Path

import httpx
import pytest
import yaml

from tests.journeys.comparing import bare, changes
from tests.journeys.filling import filled
from tests.journeys.matching import Has, Like, Not, Only, differences
from tests.journeys.reading import Trouble, _Loader, files, journeys, merged
from tests.journeys.wire import Wire

BOTH = [{"number": "A", "amount": 10.0}, {"number": "B", "amount": 20.0}]


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": 1}, {"a": 1.0, "b": 2}),
        ({"a": {"b": "<any>"}}, {"a": {"b": False}}),
        ({"a": "<absent>"}, {"b": 1}),
        ([{"a": 1}], [{"a": 1, "b": 2}]),
        ({"B": {"amount": 20}}, BOTH),
        (Has([{"amount": 20}]), BOTH),
        (Like("no such (plan|charge)"), "There is No Such Plan."),
        (Only({"a": 1}), {"a": 1}),
        (Not("Cancelled"), "Active"),
        (None, None),
    ],
)
def test_what_is_as_expected(expected, actual):
    assert list(differences(expected, actual)) == []


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {}),
        ({"a": 1}, None),
        ({"a": True}, {"a": 1}),
        ({"a": "<any>"}, {"a": None}),
        ({"a": "<absent>"}, {"a": 0}),
        ([1], [1, 2]),
        ([2, 1], [1, 2]),
        ({"C": {}}, BOTH),
        (Has([{"amount": 30}]), BOTH),
        (Like("plan"), "charge"),
        (Like("plan"), None),
        (Only({"a": 1}), {"a": 1, "b": 2}),
        (Not("Active"), "Active"),
        ("25", 25),
    ],
)
def test_what_is_not_as_expected(expected, actual):
    assert list(differences(expected, actual)) != []


def test_a_difference_says_where_it_is():
    [line] = differences({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "state")
    assert line == "state.a[0].b: is 2, expected 1"


def test_names_are_filled_in_texts_and_in_names():
    names = {"bought": {"number": "S-1", "invoices": [7]}, "plan": {"UK A": "p"}}
    told = {"${bought.number}": ["W-${bought.number}", "${bought.invoices.0}", "${plan:UK A}"]}
    assert filled(told, names) == {"S-1": ["W-S-1", 7, "p"]}
    assert filled(Has(["${bought.number}"]), names) == Has(["S-1"])
    with pytest.raises(KeyError, match="there is no 'amount', but invoices, number"):
        filled("${bought.amount}", names)


def test_a_case_is_merged_over_its_file():
    over = {"a": {"b": "<absent>", "c": 3}, "d": [2]}
    assert merged({"a": {"b": 1}, "d": [1, 2], "e": 5}, over) == {"a": {"c": 3}, "d": [2], "e": 5}


def test_dates_are_texts_and_on_is_a_word():
    told = yaml.load("{on: 2026-03-01, off: yes, n: !not 5, h: !has [a], l: !like b}", _Loader)
    wanted = {"on": "2026-03-01", "off": "yes", "n": Not(5), "h": Has(["a"]), "l": Like("b")}
    assert told == wanted


def test_a_member_that_nothing_knows_is_refused(tmp_path: Path):
    file = tmp_path / "new" / "odd.yaml"
    file.parent.mkdir()
    file.write_text("{title: odd, order: {}, expect: {}}")
    with pytest.raises(ValueError, match="expect unknown"):
        journeys(file)


def test_a_case_inherits_what_is_given_and_nothing_that_is_expected():
    [path] = [path for path in files() if path.stem == "one-offer"]
    first, *cases = journeys(path)
    for case in cases:
        assert case.order["customerDetails"] == first.order["customerDetails"]
        assert case.order["external_id"] != first.order["external_id"]
        assert "output" not in case.expected or case.expected["output"] != first.expected["output"]


def test_states_differ_by_what_was_done_not_by_what_the_partner_counts():
    first = {"INV00000001": {"amount": 1, "createdDate": "a", "accountId": "0" * 32}}
    second = {"INV00000007": {"amount": 1, "createdDate": "b", "accountId": "1" * 32}}
    assert list(changes(bare(first), bare(second), "state")) == []
    third = {**second, "INV00000008": second["INV00000007"]}
    assert list(changes(bare(first), bare(third), "state")) != []


class Partner(httpx.AsyncBaseTransport):
    """Counts what arrives."""

    def __init__(self) -> None:
        self.arrived = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.arrived += 1
        return httpx.Response(200, json={"success": True, "asked": request.url.path})


def _post(key: str) -> httpx.Request:
    request = httpx.Request(
        "POST", "http://x/zuora/v1/orders", json={"a": 1}, headers={"Idempotency-Key": key}
    )
    request.read()
    return request


async def test_a_stored_refusal_is_repeated_under_its_key_only():
    partner = Partner()
    wire = Wire(partner, [Trouble(at="POST /v1/orders", how="contention")])
    said = [(await wire.handle_async_request(_post(key))).json() for key in ("k1", "k1", "k2")]
    assert [one["success"] for one in said] == [False, False, True]
    assert partner.arrived == 1


@pytest.mark.parametrize(("how", "arrived"), [("cut_after", 1), ("cut_before", 0)])
async def test_a_broken_wire_breaks_before_or_after_the_effect(how: str, arrived: int):
    partner = Partner()
    wire = Wire(partner, [Trouble(at="POST /v1/*", how=how)])
    with pytest.raises(httpx.ReadError):
        await wire.handle_async_request(_post("k1"))
    assert partner.arrived == arrived
    assert (await wire.handle_async_request(_post("k1"))).status_code == 200
    assert [one.status for one in wire.passed] == [None, 200]
