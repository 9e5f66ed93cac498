"""Bodies of webhooks: each is as its schema says, and none says more than it may."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal

import orjson
import pytest
from jsonschema_rs import Draft202012Validator, meta

from schemas.orders import ORDER_TYPES
from streams.core.webhooks.bodies import body_of, message_id
from streams.core.webhooks.catalogue import (
    TYPES,
    matches,
    types_of,
    unknown_patterns,
    wants_step_results,
)
from streams.core.webhooks.schemas import body_model, body_schema
from streams.core.webhooks.updates import UnreadableUpdateError, Update, read_update
from tests import webhook_stories as told
from waybill.webhook_examples import webhook_examples

PAYLOADS: tuple[Literal["thin", "full"], ...] = ("thin", "full")
PERSONAL = [told.BUYER["email"], told.ADDRESS["address1"], told.PAYMENT["zuora"]["refId"]]
PERSONAL = [text.encode() for text in PERSONAL]


@cache
def updates() -> list[tuple[Update, Mapping[str, Any]]]:
    return list(told.all_updates())


def sent() -> Iterator[tuple[str, Update, Mapping[str, Any]]]:
    for update, personal in updates():
        for name in types_of(update):
            yield name, update, personal


def bodies_of(story: told.Story, name: str) -> list[dict[str, Any]]:
    """The full bodies of that type, in the order in which they are told."""
    return [
        orjson.loads(body_of(name, update, "full", None))
        for update in story.updates
        if name in types_of(update)
    ]


def test_the_examples_are_what_is_sent() -> None:
    assert told.examples() == webhook_examples(), "python -m tests.webhook_stories"


def test_every_type_is_told_and_its_bodies_have_the_members_of_its_model_and_no_others() -> None:
    reached = set()
    for name, update, personal in sent():
        for payload in PAYLOADS:
            for shown in (None, personal):
                body_model(name, payload).model_validate_json(
                    body_of(name, update, payload, shown), strict=False
                )
        reached.add(name)
    assert reached == TYPES.keys()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_every_example_fits_the_published_schema(payload: Literal["thin", "full"]) -> None:
    for name, bodies in webhook_examples().items():
        schema = body_schema(name, payload)
        meta.validate(schema)
        reader = Draft202012Validator(schema)
        reader.validate(bodies[payload])
        reader.validate({**bodies[payload], "a member to come": 1})
        assert not reader.is_valid({})


def test_each_order_type_has_a_payload_of_its_own() -> None:
    models = {
        body_model(f"accepted.{one}", "full").model_fields["data"].annotation for one in ORDER_TYPES
    }
    assert len(models) == len(ORDER_TYPES)


def test_personal_sections_are_there_for_those_who_may_and_for_nobody_else() -> None:
    for name, update, personal in sent():
        thin = body_of(name, update, "thin", personal)
        full, shown = (body_of(name, update, "full", given) for given in (None, personal))
        assert thin == body_of(name, update, "thin", None)
        assert not any(text in thin or text in full for text in PERSONAL)
        assert shown == full or TYPES[name].personal, name
    for name in ("accepted.new", "limio.order_submitted", "limio.error", "order.failed"):
        [update] = [u for u in told.declined().updates if name in types_of(u)][:1]
        shown = body_of(name, update, "full", told.declined().personal)
        assert all(text in shown for text in PERSONAL)


def test_the_same_update_is_the_same_message_and_the_same_bytes() -> None:
    seen: dict[str, bytes] = {}
    for name, update, personal in sent():
        key, body = message_id(update.id, name), body_of(name, update, "full", personal)
        assert re.fullmatch("msg_[0-9a-f]{32}", key)
        assert seen.setdefault(key, body) == body
        assert body_of(name, update, "full", personal) == body
    assert len(seen) == sum(1 for _ in sent())


def test_an_order_that_fails_later_was_told_when_it_was_taken() -> None:
    names = [name for update in told.declined().updates for name in types_of(update)]
    taken = names.index("order.failed")
    assert {"accepted.new", "limio.order_submitted", "order.accepted"} <= set(names[:taken])
    assert "limio.error" in names[taken:]


def test_what_ends_carries_the_context_less_declared_secrets() -> None:
    [failed] = bodies_of(told.declined(), "order.failed")
    assert failed["data"]["context"] == {"salesforceV3": told.PERSON}
    [completed] = bodies_of(told.known_customer(), "order.completed")
    assert completed["data"]["context"]["zuora"] == told.BILLED
    assert completed["data"]["context"]["salesforceV3"]["accountId"] == told.PERSON["accountId"]
    assert b"hush" not in b"".join(
        body_of(name, update, "full", personal) for name, update, personal in sent()
    )


def test_the_error_webhook_tells_all_failures_so_far() -> None:
    failed, completed = bodies_of(told.declined(), "limio.error")
    declined = {"name": "zuora", "message": told.DECLINED.message, "code": "card_declined"}
    busy = {"name": "calloutPlugin", "message": told.BUSY.message, "code": "http_503"}
    assert failed["pluginErrorOutput"] == [declined]
    assert completed["pluginErrorOutput"] == [busy], "not critical, so the order went on"
    assert completed["event"]["event"]["orderState"] == "complete"
    assert completed["processEventId"] == f"{failed['processEventId']}-2"
    doubtful = bodies_of(told.undone(), "limio.error")[0]
    assert doubtful["event"]["event"]["orderState"] == "in_doubt"
    assert len(doubtful["pluginErrorOutput"]) == 1


def test_a_customer_whom_the_crm_knew_is_updated() -> None:
    def names(story: told.Story) -> set[str]:
        return {name for update in story.updates for name in types_of(update)}

    assert "limio.customer_created" in names(told.declined())
    assert "limio.customer_updated" not in names(told.declined())
    assert "limio.customer_updated" in names(told.known_customer())
    assert "limio.error" not in names(told.known_customer())


def test_patterns() -> None:
    assert matches(["order.*"], "order.failed")
    assert matches(["step.failed", "*"], "limio.error")
    assert not matches(["order.*", "limio.error"], "step.failed")
    assert unknown_patterns(["order.*", "*", "limio.error"]) == {}
    assert unknown_patterns(["order.complete", "zebra", "orders.*"]) == {
        "order.complete": "order.completed",
        "zebra": None,
        "orders.*": "order.*",
    }
    assert wants_step_results(["order.*", "step.failed"])
    assert wants_step_results(["*"])
    assert not wants_step_results(["order.*", "limio.*"])


def test_an_update_of_a_kind_to_come_is_of_no_type() -> None:
    [update] = told.declined().updates[:1]
    assert types_of(update._replace(kind="order.weighed")) == ()


def header(**changes: str | None) -> list[tuple[str, bytes]]:
    plain = {
        "ce_id": "1",
        "ce_type": "waybill.order.accepted.v1",
        "ce_source": "/tenants/acme",
        "ce_subject": "order-1",
        "ce_time": "2026-03-01T10:15:30+00:00",
        **changes,
    }
    return [(name, text.encode()) for name, text in plain.items() if text is not None]


def test_an_update_is_read_from_its_record() -> None:
    update = read_update(header(), b'{"a": 1}')
    assert (update.kind, update.tenant, update.order_id) == ("order.accepted", "acme", "order-1")
    assert (update.at.isoformat(), update.data) == ("2026-03-01T10:15:30+00:00", {"a": 1})


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({"ce_id": None}, b"{}"),
        ({"ce_type": "waybill.order.accepted.v2"}, b"{}"),
        ({"ce_type": "com.example.order"}, b"{}"),
        ({"ce_source": "/elsewhere"}, b"{}"),
        ({"ce_time": "yesterday"}, b"{}"),
        ({"ce_time": "2026-03-01T10:15:30"}, b"{}"),
        ({}, b"[]"),
        ({}, b"{"),
        ({}, None),
    ],
)
def test_what_is_no_update_is_refused(changes: dict[str, str | None], value: bytes | None) -> None:
    with pytest.raises(UnreadableUpdateError):
        read_update(header(**changes), value)
