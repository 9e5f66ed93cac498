"""Previews: what partners are asked and what not, and what comes of an answer that is none."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest

from plugins.addressing import Addressing
from plugins.api import (
    Connector,
    Done,
    Failed,
    Idempotency,
    Manifest,
    NoOptions,
    Options,
    PartnerSurpriseError,
    Request,
    Step,
)
from plugins.perform import Performer
from plugins.secret_values import SecretValues
from plugins.transport import Transport
from schemas.configuration import Configuration
from schemas.connections import Connection, Connections, Limits, Rate
from schemas.steps import ErrorKind, OnUnknown
from streams.agents.previewing import Foreseen, Previewing, UnforeseenError
from streams.core.intake import Intake, Prepared, Submission
from streams.core.sealing import TenantKeys
from streams.core.sequence import PluginFacts, Sequencer

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
QUOTE = httpx.Response(200, json={"amount": "55.00"})
WIDE = Limits()
KEYS = {"default": TenantKeys.derived_from(b"0123456789abcdef0123456789abcdef")}
ORDER = {
    "order_type": "change_offer",
    "forSubscription": "SUB-1",
    "orderDate": "2026-04-01",
    "customerDetails": {"email": "ada@example.org"},
    "orderItems": [{"name": "Monthly"}, {"name": "Add-on"}],
}


def asks(step: Step[Any]):
    reply = yield Request(
        "POST", "/quote", {"names": [i["name"] for i in step.order["orderItems"]]}
    )
    return Done(
        effectiveDate=step.order["effective_date"],
        futureCharges=[{"date": "2026-04-01", "amount": reply["amount"]}],
        reference=step.order["subscriptionReference"],
        mapped=dict(step.mapped),
    )


def writes(_: Step[Any]):
    yield Request.post("/orders", {}, call="create-order")
    return Done()


def deletes(_: Step[Any]):
    yield Request("DELETE", "/orders/1")
    return Done()


def refuses(_: Step[Any]):
    yield Request.get("/quote")
    return Failed(
        ErrorKind.PERMANENT, "no_such_plan", "there is no plan for ada@example.org", "No."
    )


def is_surprised(_: Step[Any]):
    yield Request.get("/quote")
    raise PartnerSurpriseError("nothing of what was promised")


class Desk:
    """Previews of the entries, in front of a partner that always answers the same."""

    def __init__(
        self,
        *entries: Mapping[str, Any],
        previewers: Mapping[str, Callable[..., Any] | None],
        answer: httpx.Response | Exception = QUOTE,
        limits: Limits = WIDE,
    ) -> None:
        self.sent: list[httpx.Request] = []
        self.previewers, self.answer = previewers, answer
        configuration = Configuration.model_validate({"version": 1, "sequence": list(entries)})
        connection = Connection(base_url="https://partner.test", limits=limits)
        addressing = Addressing(
            self, Connections({"default": {"production": dict.fromkeys(previewers, connection)}})
        )
        facts = {
            name: PluginFacts(
                name=name, service="test", on_unknown=OnUnknown.REPEAT, connection=name
            )
            for name in previewers
        }
        self.intake = Intake({"default": Sequencer(configuration, facts)}, KEYS, lambda *_: None)
        transport = Transport(httpx.MockTransport(self._answered))
        self.performer = Performer(transport, SecretValues({}), lambda: NOW, lambda: 0.0)
        self.previewing = Previewing(addressing, self.performer, lambda: NOW, lambda: 0.0)

    def _answered(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        content = self.answer.content
        return httpx.Response(self.answer.status_code, headers=self.answer.headers, content=content)

    def get(self, name: str) -> Connector:
        manifest = Manifest(
            name=name,
            service="test",
            summary="test",
            idempotency=Idempotency.NATIVE,
            options=NoOptions,
        )
        return Connector(manifest, writes, previewer=self.previewers[name])

    def validate_options(self, name: str, options: Mapping[str, Any]) -> Options:
        del name
        return NoOptions.model_validate(options)

    def prepared(self, order: Mapping[str, Any]) -> Prepared:
        value = orjson.dumps(order)
        return self.intake.prepare(
            Submission(tenant="default", value=value, identity="i", actor="test", origin="api")
        )

    async def preview(self, order: Mapping[str, Any] = ORDER) -> list[Foreseen]:
        return list(await self.previewing(self.prepared(order)))

    async def unforeseen(self, order: Mapping[str, Any] = ORDER) -> UnforeseenError:
        with pytest.raises(UnforeseenError) as caught:
            await self.preview(order)
        return caught.value


async def test_each_plugin_that_can_tell_is_asked_in_the_waybills_order() -> None:
    desk = Desk({"name": "crm"}, {"name": "billing"}, previewers={"crm": None, "billing": asks})
    crm, billing = await desk.preview()
    assert (crm.step.id, crm.members) == ("crm", None)
    assert billing.members == {
        "effectiveDate": "2026-04-01",
        "futureCharges": [{"date": "2026-04-01", "amount": "55.00"}],
        "reference": "SUB-1",
        "mapped": {},
    }
    [request] = desk.sent
    assert orjson.loads(request.content) == {"names": ["Monthly", "Add-on"]}
    assert "idempotency-key" not in request.headers


async def test_a_step_is_asked_about_its_own_items_and_what_its_entry_maps() -> None:
    entry = {"name": "billing", "items": "name == 'Add-on'", "map": {"day": "order.orderDate"}}
    desk = Desk(entry, previewers={"billing": asks})
    [billing] = await desk.preview()
    assert orjson.loads(desk.sent[0].content) == {"names": ["Add-on"]}
    assert billing.members is not None
    assert billing.members["mapped"] == {"day": "2026-04-01"}


@pytest.mark.parametrize(
    ("condition", "asked"),
    [("order_type == 'renew'", 0), ("order_type == 'change_offer'", 1), ("context.crm.id", 1)],
)
async def test_a_step_is_left_out_where_its_condition_says_so_before_anything_ran(
    condition: str, asked: int
) -> None:
    desk = Desk({"name": "billing", "when": condition}, previewers={"billing": asks})
    [billing] = await desk.preview()
    assert (len(desk.sent), billing.members is None) == (asked, asked == 0)


@pytest.mark.parametrize("previewer", [writes, deletes])
async def test_a_preview_that_would_change_something_is_stopped_before_it_is_sent(
    previewer: Callable[..., Any],
) -> None:
    desk = Desk({"name": "billing"}, previewers={"billing": previewer})
    problem = await desk.unforeseen()
    assert desk.sent == []
    assert (problem.failure.kind, problem.failure.code) == (
        ErrorKind.MISCONFIGURED,
        "connector_error",
    )


async def test_a_refusal_is_the_orders_and_names_its_step_without_personal_data() -> None:
    desk = Desk({"name": "billing", "id": "money"}, previewers={"billing": refuses})
    problem = await desk.unforeseen()
    assert problem.step.id == "money"
    assert (problem.failure.code, problem.failure.buyer_message) == ("no_such_plan", "No.")
    assert problem.failure.message == "there is no plan for [redacted]"


async def test_a_step_that_may_fail_is_a_warning() -> None:
    desk = Desk({"name": "billing", "critical": False}, previewers={"billing": refuses})
    [billing] = await desk.preview()
    assert billing.members == {"warnings": ["billing may fail: No."]}


@pytest.mark.parametrize(
    ("answer", "kind", "retry_after_s"),
    [
        (httpx.ConnectError("refused"), ErrorKind.TRANSIENT, None),
        (httpx.ReadTimeout("slow"), ErrorKind.TRANSIENT, None),
        (httpx.Response(500), ErrorKind.TRANSIENT, None),
        (httpx.Response(429, headers={"Retry-After": "7"}), ErrorKind.RATE_LIMITED, 7.0),
        (httpx.Response(200, json={}), ErrorKind.PERMANENT, None),
        (httpx.Response(401), ErrorKind.MISCONFIGURED, None),
    ],
)
async def test_an_answer_that_is_none_says_whether_asking_again_may_help(
    answer: httpx.Response | Exception, kind: ErrorKind, retry_after_s: float | None
) -> None:
    desk = Desk({"name": "billing"}, previewers={"billing": asks}, answer=answer)
    problem = await desk.unforeseen()
    assert (problem.failure.kind, problem.retry_after_s) == (kind, retry_after_s)


async def test_a_partner_that_breaks_its_word_is_no_crash() -> None:
    desk = Desk({"name": "billing"}, previewers={"billing": is_surprised})
    assert (await desk.unforeseen()).failure.code == "partner_surprise"


async def test_a_held_stage_is_not_asked() -> None:
    desk = Desk({"name": "billing"}, previewers={"billing": asks})
    desk.performer.stages.hold("default", "billing", held=True)
    problem = await desk.unforeseen()
    assert (problem.failure.code, desk.sent) == ("stage_held", [])


async def test_previews_keep_to_the_connections_rate() -> None:
    limits = Limits(rate=Rate(per_second=0.1))
    desk = Desk({"name": "billing"}, previewers={"billing": asks}, limits=limits)
    await desk.preview()
    problem = await desk.unforeseen()
    assert (problem.failure.kind, problem.failure.code) == (ErrorKind.RATE_LIMITED, "stage_rate")
    assert len(desk.sent) == 1


async def test_without_an_own_date_an_order_takes_effect_today() -> None:
    desk = Desk({"name": "billing"}, previewers={"billing": asks})
    [billing] = await desk.preview({**ORDER, "orderDate": None})
    assert billing.members is not None
    assert billing.members["effectiveDate"] == "2026-03-01"
