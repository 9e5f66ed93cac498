"""Change of address: a new contact, which becomes Bill To or Sold To, or both."""

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any, Final

from plugins.api import Conversation, Done, Reply, Request, Step
from plugins.connectors.zuora.account import read_account
from plugins.connectors.zuora.asking import done, path_of
from plugins.connectors.zuora.changing import Change, action, adopted, carried_out
from plugins.connectors.zuora.contacts import Use, contact, created
from plugins.connectors.zuora.custom_fields import given
from plugins.connectors.zuora.effective import effective
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.numbers import contact_nickname
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.subscription import Subscription, read, require_active
from plugins.limio import part, text
from schemas.steps import ErrorKind

_SECTIONS: Final[Mapping[Use, str]] = {
    "billing": "billingDetails",
    "delivery": "deliveryDetails",
}
_CONTACTS: Final[Mapping[Use, str]] = {"billing": "billToContact", "delivery": "soldToContact"}
_TYPES: Final[Mapping[str, tuple[Use, ...]]] = {
    "billing": ("billing",),
    "delivery": ("delivery",),
    "both": ("billing", "delivery"),
    "all": ("billing", "delivery"),
}


def perform(step: Step[ZuoraOptions]) -> Conversation:
    """The account's contacts, or those of the subscription alone where the option says so."""
    if step.options.contacts_per == "subscription":
        return (yield from carried_out(step, _planned, _prepared))
    subscription = yield from read(step)
    require_active(step, subscription)
    ids = yield from new_contacts(step, subscription.account_number)
    path = path_of("accounts", subscription.account_number)
    yield from done(step, "PUT", path, ids, "update-account")
    return Done(accountNumber=subscription.account_number, **_output(ids))


def look_up(step: Step[ZuoraOptions]) -> Conversation:
    """Whose contacts are in place: their nicknames tell."""
    if step.options.contacts_per == "subscription":
        return (yield from adopted(step))
    subscription = yield from read(step)
    account = yield from read_account(step, subscription.account_number)
    ids: dict[str, str] = {}
    for use in addresses(step):
        present = part(account, _CONTACTS[use])
        if text(present, "nickname") not in {contact_nickname(step, one) for one in _SECTIONS}:
            return step.not_done()
        ids[f"{_CONTACTS[use]}Id"] = text(present, "id") or ""
    return Done(accountNumber=subscription.account_number, **_output(ids))


def addresses(step: Step[ZuoraOptions]) -> dict[Use, Mapping[str, Any]]:
    """Which addresses change: as `addressType` says, else those that the order has."""
    said = text(step.order, "addressType") or text(step.order, "data", "addressType")
    if said is not None and said not in _TYPES:
        message = f"addressType {said!r} is none of {', '.join(_TYPES)}"
        raise unfit("address_type", message, ErrorKind.PERMANENT)
    uses = _TYPES[said] if said else tuple(_SECTIONS)
    there = {use: part(step.order, _SECTIONS[use]) for use in uses}
    missing = [_SECTIONS[use] for use, address in there.items() if not address]
    if missing and (said or len(missing) == len(there)):
        message = f"the order has no {' or '.join(missing)}: send the new address there"
        raise unfit("address_missing", message, ErrorKind.PERMANENT)
    return {use: address for use, address in there.items() if address}


def new_contacts(
    step: Step[ZuoraOptions], number: str
) -> Generator[Request, Reply, dict[str, str]]:
    """Made for the order's addresses; under the names that accounts have for their ids."""
    wanted = addresses(step)
    account = yield from read_account(step, number)
    made: list[tuple[dict[str, Any], str]] = []
    ids: dict[str, str] = {}
    for use, address in wanted.items():
        body = contact(step, address, part(account, _CONTACTS[use]), in_order=False)
        same = next((contact_id for other, contact_id in made if other == body), None)
        contact_id = same or (yield from created(step, number, use, body))
        made.append((body, contact_id))
        ids[f"{_CONTACTS[use]}Id"] = contact_id
    return ids


def _planned(
    step: Step[ZuoraOptions], subscription: Subscription
) -> Generator[Request, Reply, Change]:
    yield from ()
    require_active(step, subscription)
    addresses(step)
    return Change(actions=(), effective=effective(step, subscription, None, "immediately"))


def _prepared(
    step: Step[ZuoraOptions], subscription: Subscription, change: Change
) -> Generator[Request, Reply, Change]:
    ids = yield from new_contacts(step, subscription.account_number)
    terms = action(step, "TermsAndConditions", change.effective.iso, termsAndConditions=ids)
    return replace(change, actions=[terms], output=_output(ids))


def _output(ids: Mapping[str, str]) -> dict[str, Any]:
    return given(contactId=next(iter(ids.values()), None), **ids)
