"""Has a journey made: what was before, the order, and what the partners hold then."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from plugins.registry import Registry
from schemas.problems import Problem, RefusedError
from tests.journeys import reading
from tests.journeys.filling import Names, filled
from tests.journeys.office import Carried, Clock, Office, noon
from tests.journeys.partners import STATEFUL, Partners, running_partners
from tests.journeys.reading import Journey, merged

SECRETS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Arrived:
    """A journey at its end. `before` and `after` are the partners' states around the order."""

    journey: Journey
    partners: Partners
    names: Names
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    carried: Carried | None = None
    refused: Problem | None = None

    async def named(self) -> Names:
        """All that the file may name in what it expects."""
        catalogue = await self.partners.catalogue()
        if self.carried is None:
            return {**catalogue, **self.names}
        document = self.carried.document
        return {**catalogue, **self.names, **self.carried.outputs, "order": document}

    async def later(self, day: str) -> "Arrived":
        """The same, some time afterwards."""
        await self.partners.day(day)
        return replace(self, after=await _states(self.partners))


@asynccontextmanager
async def travelled(journey: Journey) -> AsyncIterator[Arrived]:
    """The journey at its end, while its partners still run."""
    clock = Clock(noon(min(_days(journey))))
    async with running_partners(clock) as partners:
        office = Office(partners.connections(), SECRETS, clock, registry())
        trip = _Trip(partners, office)
        names = await trip.prepared(journey, journey.today)
        await partners.day(journey.today)
        before = await _states(partners)
        carried, refused = None, None
        try:
            carried = await trip.carried(journey, names)
        except RefusedError as refusal:
            refused = refusal.problem
        after = await _states(partners)
        yield Arrived(journey, partners, names, before, after, carried, refused)


@cache
def registry() -> Registry:
    """All connectors."""
    return Registry.found()


@dataclass(frozen=True)
class _Trip:
    partners: Partners
    office: Office

    async def prepared(self, journey: Journey, today: str) -> dict[str, Any]:
        """What was before: names of what it handed on."""
        names: dict[str, Any] = {}
        for number, entry in enumerate(journey.given):
            day = entry.get("on", today)
            await self.partners.day(day)
            known = {**await self.partners.catalogue(), **names}
            handed_on = await self._entry(journey, number, {**filled(entry, known), "on": day})
            if "as" in entry:
                names[entry["as"]] = handed_on
        return names

    async def carried(self, journey: Journey, names: Names) -> Carried:
        """The journey's own order."""
        known = {**await self.partners.catalogue(), **names}
        return await self.office.carry(journey, filled(journey.order, known))

    async def _entry(self, journey: Journey, number: int, entry: Mapping[str, Any]) -> Any:
        if "order" in entry:
            return await self._order(f"{journey.external_id} ({number})", entry)
        if "fault" in entry:
            return await self.partners.call("POST /_faults", entry["fault"])
        [(call, body)] = entry["call"].items()
        return await self.partners.call(call, body)

    async def _order(self, external_id: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        told = reading.journey(entry["order"])
        order = merged({**told.order, "external_id": external_id}, entry.get("change", {}))
        earlier = replace(
            told,
            order=order,
            configuration=_with_options(told, entry.get("options", {})),
            given=tuple(told.given),
        )
        names = await self.prepared(earlier, entry["on"])
        carried = await self.carried(earlier, names)
        ended = carried.order.state.value
        told_why = carried.failure(told.plugin)
        assert entry.get("fails") or ended == "completed", f"{told.name} {ended}: {told_why}"
        numbers = ("order_reference", "subscriptionReference", "id", "owner")
        return {
            **carried.outputs.get(told.plugin, {}),
            **{name: carried.document[name] for name in numbers},
            "order": carried.document,
            "outputs": carried.outputs,
        }


def _with_options(journey: Journey, options: Mapping[str, Any]) -> dict[str, Any]:
    sequence = [
        {**entry, "options": merged(entry.get("options", {}), options)}
        if entry["name"] == journey.plugin
        else entry
        for entry in journey.configuration["sequence"]
    ]
    return {**journey.configuration, "sequence": sequence}


def _days(journey: Journey) -> Iterator[str]:
    yield journey.today
    for entry in journey.given:
        if "on" in entry:
            yield entry["on"]
        if "order" in entry:
            yield from list(_days(reading.journey(entry["order"])))[1:]


async def _states(partners: Partners) -> dict[str, Any]:
    return {name: await partners.state(name) for name in STATEFUL}
