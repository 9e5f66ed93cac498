"""Lanes by subscription, or by customer where a tenant chooses so."""

from typing import Any

import pytest

from schemas.commands import CommandKind
from streams.core import ids
from streams.core.about import MAX_REFERENCE
from streams.core.commanding import Commanding, Request, belonging, command_received, read_request
from streams.core.evolve import evolve
from streams.core.intake import Prepared, acceptance
from streams.core.order import Order
from tests.facts import START
from tests.unit.core.taking import INTAKE, KEY, prepared

MAREN = {"email": "maren@example.org"}
ACCOUNT = "0015400000k3Y70AAE"
NONCE = b"n" * 12


def customers(**members: Any) -> Prepared:
    """An order of the tenant whose lanes are by customer."""
    return prepared(tenant="customers", **members)


def test_lanes_are_by_subscription_unless_the_tenant_says_otherwise() -> None:
    one = prepared(external_id="1", customerDetails=MAREN, tracking={"accountId": ACCOUNT})
    two = prepared(external_id="2", customerDetails=MAREN, tracking={"accountId": ACCOUNT})
    assert one.lane == f"default/{one.subscription_reference}"
    assert one.lane != two.lane


def test_two_subscriptions_of_one_customer_share_a_lane() -> None:
    one, two = (
        customers(external_id="1", customerDetails=MAREN),
        customers(order_type="renew", forSubscription="A-S1", customerDetails=MAREN),
    )
    assert one.lane == two.lane
    assert one.subscription_reference == ids.subscription_reference("customers", "1")
    assert two.subscription_reference == "A-S1"
    assert one.order_id != two.order_id


@pytest.mark.parametrize(
    ("members", "customer"),
    [
        ({"tracking": {"accountId": ACCOUNT}, "owner": "o", "customerDetails": MAREN}, ACCOUNT),
        ({"tracking": {"accountId": ACCOUNT[:15]}, "customerDetails": MAREN}, ACCOUNT),
        ({"owner": "id-7", "customerDetails": MAREN}, "id-7"),
        ({"owner": "id-7", "tracking": {"accountId": "UA-1234-1"}}, "id-7"),
        ({"owner": "id-7", "tracking": {"accountId": 15400000}}, "id-7"),
        ({"owner": "id-7", "tracking": "x"}, "id-7"),
    ],
    ids=["account first", "its short form", "then the owner", "no account", "a number", "a text"],
)
def test_a_customer_is_the_crm_account_else_the_owner(
    members: dict[str, Any], customer: str
) -> None:
    assert customers(**members).lane == f"customers/customer/{customer[:15]}"


@pytest.mark.parametrize("owner", [None, "", 7, "a\tb", "x" * (MAX_REFERENCE + 1), "x" * 129])
def test_an_owner_that_names_nobody_leaves_the_e_mail_address(owner: object) -> None:
    by_mail = customers(customerDetails=MAREN)
    assert customers(customerDetails=MAREN, owner=owner).lane == by_mail.lane
    assert "maren" not in by_mail.lane
    shouted = customers(customerDetails={"email": " Maren@Example.ORG "})
    assert shouted.lane == by_mail.lane


def test_the_owner_that_was_answered_leads_back_to_the_lane_of_the_e_mail_address() -> None:
    bought = customers(external_id="1", customerDetails=MAREN)
    change = customers(order_type="renew", forSubscription="A-S1", owner=bought.owner)
    assert change.lane == bought.lane


@pytest.mark.parametrize("details", [None, {}, {"email": ""}, {"email": " "}, {"email": 7}])
def test_an_order_that_names_no_customer_is_in_the_lane_of_its_subscription(
    details: object,
) -> None:
    opening = customers(external_id="1", customerDetails=details)
    assert opening.lane == f"customers/{opening.subscription_reference}"
    change = customers(order_type="external", forSubscription="/subscriptions/A-S1")
    assert change.lane == "customers/A-S1"


def test_the_same_customer_of_two_tenants_has_two_lanes() -> None:
    elsewhere = prepared(tenant="default", owner="id-7", forSubscription="customer")
    assert customers(owner="id-7").lane == "customers/customer/id-7"
    assert elsewhere.lane == "default/customer"


def test_a_repeated_order_keeps_its_id_and_its_lane() -> None:
    one, again = (customers(external_id="E", customerDetails=MAREN, n=n) for n in (1, 2))
    assert (one.order_id, one.lane) == (again.order_id, again.lane)
    assert one.order_id == ids.order_id("customers", "E", one.lane)


def test_an_order_stays_in_its_lane_whoever_an_amendment_names() -> None:
    bought = customers(external_id="1", customerDetails=MAREN)
    order = evolve(None, acceptance(bought, KEY, NONCE, START), 0)
    assert isinstance(order, Order)
    value = (
        b'{"order": "1", "command": "amend", "reason": "a typo",'
        b' "changes": {"customerDetails": {"email": "marlene@example.org"}}}'
    )
    request = Request(
        tenant="customers", value=value, identity="c/0/0", actor="ops", origin="c/0/0"
    )
    commanding = Commanding(INTAKE, lambda _: ())
    keys = {part.subject: KEY for part in order.accepted.sealed}
    asked = commanding.prepare(read_request(request), order, keys)
    event = command_received(asked, KEY, NONCE, START)
    assert asked.asked.command.command is CommandKind.AMEND
    assert asked.to == belonging(order)
    assert event.envelope.lane == bought.lane
