"""Every journey is previewed before it is made: that changes nothing, and comes true afterwards."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import orjson
import pytest

from plugins.perform import Performer
from plugins.secret_values import SecretValues
from plugins.transport import Transport
from schemas.configuration import Configuration
from streams.agents.previewing import Foreseen, Previewing, UnforeseenError
from streams.core.intake import Intake, Prepared, Submission
from streams.core.order import State
from streams.core.sequence import Sequencer
from tests.journeys import travelling
from tests.journeys.filling import filled
from tests.journeys.office import TENANT, Carried, Clock, Office, noon
from tests.journeys.partners import Partners, running_partners
from tests.journeys.reading import Journey, files, journeys
from tests.journeys.test_strictly import _said
from tests.journeys.wire import Passed, Wire
from tests.prism import SPECS, missing

PREVIEWED = frozenset(
    {
        "new",
        "change_offer",
        "add_offer",
        "cancel_subscription",
        "renew",
        "update_subscription",
        "refund",
        "credit",
    }
)
JOURNEYS = [
    journey
    for path in files()
    if path.parent.name in PREVIEWED
    for journey in journeys(path)[:2]
    if journey.plugin == "zuora" and not journey.trouble and journey.outcome != "refused"
]


@dataclass
class Desk:
    """A journey up to its order: what was before has been."""

    journey: Journey
    partners: Partners
    office: Office
    trip: Any
    names: Mapping[str, Any]

    @property
    def document(self) -> dict[str, Any]:
        return dict(filled(self.journey.order, self.names))

    def prepared(self) -> Prepared:
        configuration = Configuration.model_validate(self.journey.configuration)
        sequencer = Sequencer(configuration, self.office.plugins)
        keys = {TENANT: self.office.keys}
        intake = Intake({TENANT: sequencer}, keys, self.office.addressing.missing)
        value = orjson.dumps(self.document)
        return intake.prepare(
            Submission(tenant=TENANT, value=value, identity="i", actor="test", origin="api")
        )

    async def preview(self) -> tuple[Sequence[Foreseen], list[Passed]]:
        wire, clock = Wire(Transport.over_aiohttp()._wire), self.office.clock
        secrets = SecretValues(self.office.secrets)
        performer = Performer(Transport(wire), secrets, clock.now, clock.monotonic)
        try:
            asking = Previewing(self.office.addressing, performer, clock.now, clock.monotonic)
            return await asking(self.prepared()), wire.passed
        finally:
            await wire.aclose()

    async def carry(self) -> Carried:
        return await self.office.carry(self.journey, self.document)

    async def state(self) -> Mapping[str, Any]:
        return await travelling._states(self.partners)


@asynccontextmanager
async def ready(journey: Journey) -> AsyncIterator[Desk]:
    clock = Clock(noon(min(travelling._days(journey))))
    async with running_partners(clock) as partners:
        office = Office(partners.connections(), travelling.SECRETS, clock, travelling.registry())
        trip = travelling._Trip(partners, office)
        names = await trip.prepared(journey, journey.today)
        await partners.day(journey.today)
        catalogue = await partners.catalogue()
        yield Desk(journey, partners, office, trip, {**catalogue, **names})


def name(journey: Journey) -> str:
    return journey.external_id.replace(" ", "-").replace(":", "")


@pytest.mark.parametrize("journey", JOURNEYS, ids=name)
async def test_a_preview_changes_nothing_and_comes_true(journey: Journey) -> None:
    async with ready(journey) as desk:
        before = await desk.state()
        refused, members = await previewed(desk)
        assert await desk.state() == before
        carried = await desk.carry()
        after = await desk.state()
    if carried.order.state is State.COMPLETED:
        assert refused is None, f"{refused} [{refused.failure.code}]"
        output = carried.outputs["zuora"]
        assert members["effectiveDate"] == output.get("effectiveDate", members["effectiveDate"])
        assert set(output.get("warnings") or ()) <= set(members.get("warnings") or ())
        if "futureCharges" in members and billed(before) != billed(after):
            assert worth(members) == billed(after) - billed(before)
    elif not any(one.key for one in carried.passed):  # else it was refused along the way
        failure = carried.failure("zuora")
        assert refused is not None
        assert failure is not None
        assert (refused.failure.code, refused.failure.message) == (failure.code, failure.message)


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
@pytest.mark.parametrize("journey", [one for one in JOURNEYS if one.case is None], ids=name)
async def test_prism_takes_what_a_preview_asks(
    prisms: Mapping[str, httpx.Client], journey: Journey
) -> None:
    async with ready(journey) as desk:
        _, passed = await desk.preview()
    asked = [one for one in passed if one.partner in SPECS]
    said = {one.call: _said(prisms[one.partner], one) for one in asked}
    assert {call: words for call, words in said.items() if words is not None} == {}


async def previewed(desk: Desk) -> tuple[UnforeseenError | None, Mapping[str, Any]]:
    """Why the order would fail, or what it would do."""
    try:
        foreseen, passed = await desk.preview()
    except UnforeseenError as problem:
        return problem, {}
    assert [one.call for one in passed if one.key] == []
    [members] = [one.members for one in foreseen if one.step.plugin == "zuora"]
    assert members
    return None, members


def worth(members: Mapping[str, Any]) -> Decimal:
    """What the buyer would owe more than before."""
    charges, given = members["futureCharges"], members["credits"]
    return sum((Decimal(one["amount"]) for one in charges), Decimal(0)) - sum(
        (Decimal(one["amount"]) for one in given), Decimal(0)
    )


def billed(state: Mapping[str, Any]) -> Decimal:
    """All that buyers were asked for, less what they were given back."""
    zuora = state["zuora"]
    asked = [*zuora["invoices"].values(), *zuora["debitMemos"].values()]
    given = zuora["creditMemos"].values()
    return sum((Decimal(str(one["amount"])) for one in asked), Decimal(0)) - sum(
        (Decimal(str(one["amount"])) for one in given), Decimal(0)
    )
