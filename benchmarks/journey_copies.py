"""The orders of journey files again and again, each copy with numbers and cards of its own."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from plugins.registry import Registry
from streams.core.order import Order
from tests.journeys.filling import filled
from tests.journeys.reading import Journey, files, journey, journeys, merged

BUYERS = frozenset({"maren.tidewell@example.com", "maren@duplicate.test"})
REGISTRY = Registry.found()
STEP_S = 4.0
RETRY = {"attempts": 12, "first_s": 0.5, "longest_s": 5.0}
METHOD = re.compile(r"\b([0-9a-f]{32}|(pm_)\w+)\b")


@dataclass(frozen=True, slots=True)
class Link:
    """One order of a copy: whose file it is, and under which names its outputs go on."""

    told: Journey
    slug: str
    order: Mapping[str, Any]
    day: str
    known: tuple[tuple[str, int], ...]


@dataclass
class Copy:
    """One way through a file; `outputs` of its orders so far."""

    name: str
    number: int
    links: list[Link]
    sent: list[Mapping[str, Any]] = field(default_factory=list)
    outputs: list[Mapping[str, Any]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)

    @property
    def order_type(self) -> str:
        """Of the file."""
        return self.name.partition("/")[0]

    def external_id(self, at: int) -> str:
        """Of its order number `at`."""
        return f"{self.name}/{self.number}/{at}"


def tales() -> Iterator[tuple[str, Journey]]:
    """The files that can be made again and again: orders only, with nothing in their way."""
    for path in files():
        told = journeys(path)[0]
        if told.outcome == "completed" and all(
            _is_repeatable(one) for one in (told, *_before(told))
        ):
            yield told.name, told


def _before(told: Journey) -> Iterator[Journey]:
    for entry in told.given:
        if "order" in entry:
            earlier = journey(entry["order"])
            yield from (*_before(earlier), earlier)


def _is_repeatable(told: Journey) -> bool:
    plain = all("order" in one and not one.get("fails") for one in told.given)
    return plain and not told.trouble and not told.undisturbed


def links_of(told: Journey) -> Iterator[Link]:
    """The orders of a way through the file, oldest first."""
    links: list[Link] = []

    def add(one: Journey, day: str, order: Mapping[str, Any], options: Mapping[str, Any]) -> int:
        known = []
        for entry in one.given:
            before = journey(entry["order"])
            changed = merged(before.order, entry.get("change", {}))
            at = add(before, entry.get("on", day), changed, entry.get("options", {}))
            if "as" in entry:
                known.append((str(entry["as"]), at))
        links.append(Link(one, _slug(one, options), order, day, tuple(known)))
        return len(links) - 1

    add(told, told.today, told.order, {})
    return iter(links)


def _slug(told: Journey, options: Mapping[str, Any]) -> str:
    return json.dumps([told.name, options], sort_keys=True)


def configuration(chains: Mapping[str, list[Link]]) -> dict[str, Any]:
    """The sequence of each file, chosen by the processing type of its orders."""
    overrides = {}
    for link in (link for links in chains.values() for link in links):
        options = json.loads(link.slug)[1]
        sequence = [
            _entry(entry, options if entry["name"] == link.told.plugin else {})
            for entry in link.told.configuration["sequence"]
        ]
        post = [_entry(entry, {}) for entry in link.told.configuration.get("post", ())]
        more = {"post": post} if post else {}
        overrides[link.slug] = {"processing_type": link.slug, "sequence": sequence, **more}
    return {
        "version": 1,
        "sequence": [{"name": "zuora"}],
        "overrides": list(overrides.values()),
    }


def _entry(entry: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    own = merged(entry.get("options", {}), options)
    known = REGISTRY.get(entry["name"])
    keyed = known.look_up is not None and known.manifest.key_header is not None
    # A partner that keeps its server errors under the key gives them until the key is another.
    doubt = {"on_unknown": "look_up"} if keyed else {}
    return {"timeout": STEP_S, **doubt, **entry, "options": own, "retry": RETRY}


def document_of(copy: Copy, at: int, catalogue: Mapping[str, Any]) -> dict[str, Any]:
    """The copy's order number `at`, as a shop sends it."""
    link = copy.links[at]
    names = {**catalogue, **{name: copy.outputs[place] for name, place in link.known}}
    document = filled(link.order, names)
    source = {**document.get("sourceDetails", {}), "processing_type": link.slug}
    customer = dict(document.get("customerDetails", {}))
    if customer.get("email") in BUYERS:
        domain = customer["email"].partition("@")[2]
        customer["email"] = f"maren.{copy.number}.{crc32(copy.name.encode())}@{domain}"
    return {
        "orderDate": link.day,
        **document,
        **_own_payment(copy, document),
        "customerDetails": customer,
        "sourceDetails": source,
        "external_id": copy.external_id(at),
    }


def _own_payment(copy: Copy, document: Mapping[str, Any]) -> dict[str, Any]:
    """A payment method of its own: one that is attached to an account is no other's any more.

    What an id ends in says how the sandbox's gateways take it.
    """
    if "payment" not in document:
        return {}

    def own(found: re.Match[str]) -> str:
        mark = crc32(f"{copy.name}/{copy.number}/{found[0]}".encode())
        return f"8ad{mark:021x}{found[0][-8:]}" if found[2] is None else f"{found[0]}_{mark:x}"

    return {"payment": json.loads(METHOD.sub(own, json.dumps(document["payment"])))}
