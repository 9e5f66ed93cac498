"""Update of customer details: the name and the ways to reach the account's contacts."""

from collections.abc import Generator, Mapping
from typing import Any

from plugins.api import Conversation, Done, Reply, Request, Step
from plugins.connectors.zuora.account import existing_number, read_account
from plugins.connectors.zuora.asking import done, path_of
from plugins.connectors.zuora.contacts import details
from plugins.connectors.zuora.custom_fields import contact_fields, given
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.subscription import read
from plugins.limio import part, text
from schemas.steps import ErrorKind

_CONTACTS = ("billToContact", "soldToContact")


def perform(step: Step[ZuoraOptions]) -> Conversation:
    """Each contact once, though it be Bill To and Sold To at once."""
    changes = _changes(step)
    account = yield from _account(step)
    for contact_id, use in _ids(account).items():
        path = path_of("contacts", contact_id)
        yield from done(step, "PUT", path, changes, f"update-{use}")
    return Done(**_output(account))


def look_up(step: Step[ZuoraOptions]) -> Conversation:
    """Whether the contacts read as the order wants them."""
    changes = _changes(step)
    account = yield from _account(step)
    present = [part(account, use) for use in _CONTACTS]
    differ = any(
        text(contact, name) != str(value)
        for contact in present
        if contact
        for name, value in changes.items()
    )
    return step.not_done() if differ else Done(**_output(account))


def _changes(step: Step[ZuoraOptions]) -> dict[str, Any]:
    changes = {**details(part(step.order, "customerDetails")), **contact_fields(step)}
    if not changes:
        message = "the order changes nothing: send customerDetails with what is new"
        raise unfit("details_missing", message, ErrorKind.PERMANENT)
    return changes


def _account(step: Step[ZuoraOptions]) -> Generator[Request, Reply, Mapping[str, Any]]:
    """The account that is named, else that of the subscription."""
    number = existing_number(step)
    if number is None:
        subscription = yield from read(step)
        number = subscription.account_number
    return (yield from read_account(step, number))


def _ids(account: Mapping[str, Any]) -> dict[str, str]:
    """The contacts' ids with what they are for; one that is for both is listed once."""
    ids: dict[str, str] = {}
    for use in _CONTACTS:
        contact_id = text(account, use, "id")
        if contact_id is not None:
            ids.setdefault(contact_id, use)
    if not ids:
        raise unfit("contact_missing", "the account's contacts have no ids", ErrorKind.PERMANENT)
    return ids


def _output(account: Mapping[str, Any]) -> dict[str, Any]:
    bill_to, sold_to = (text(account, use, "id") for use in _CONTACTS)
    return given(
        accountNumber=text(account, "basicInfo", "accountNumber"),
        contactId=bill_to or sold_to,
        billToContactId=bill_to,
        soldToContactId=sold_to,
    )
