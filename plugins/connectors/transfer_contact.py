"""Transfer contact: moves the buyer's contact to the account that Salesforce matched."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from plugins.api import (
    Conversation,
    Done,
    Example,
    Failed,
    Idempotency,
    Manifest,
    Options,
    Reply,
    Request,
    Step,
    connector,
)
from plugins.limio import first_text, handed_on, text
from plugins.salesforce import (
    CONNECTION,
    CUSTOM_FIELD_PATTERN,
    OAUTH,
    VERSION_PATTERN,
    errors,
    record_id,
    refusal,
)
from schemas.steps import ErrorKind

_SHORT_ID = 15


class TransferOptions(Options):
    """Where the org keeps our id of an account's owner."""

    api_version: str = Field(default="v62.0", alias="apiVersion", pattern=VERSION_PATTERN)
    """Version of Salesforce's API."""
    account_external_id: str = Field(
        default="External_Id__c", alias="accountExternalId", pattern=CUSTOM_FIELD_PATTERN
    )
    """Field of accounts that holds our id of their owner."""


MANIFEST = Manifest(
    name="transferContact",
    service="salesforce",
    summary="Moves the buyer's contact to the account of the person that Salesforce matched.",
    idempotency=Idempotency.NATIVE,
    options=TransferOptions,
    connection=CONNECTION,
    # It sets a state; a repetition sets the same.
    key_header=None,
    errors=errors,
    oauth=OAUTH,
    docs=(
        "The account is `accountId` of the entry's `map`, else the `crmId` that an earlier step "
        "handed on; the contact is `contactId`, likewise. A contact that is there already is left "
        "alone. Output: `accountId`, `contactId`, `moved`, and `newOwner`: our id that the account "
        "carries (`accountExternalId`), to which entitlements then grant."
    ),
)


@connector(MANIFEST)
def transfer_contact(step: Step[TransferOptions]) -> Conversation:
    """Looks where the contact is, moves it, and says whose the account is."""
    account, contact = _record(step, "accountId", "crmId"), _record(step, "contactId", "contactId")
    if account is None:
        message = "nothing says to whom: put salesforceV3 before it, or map `accountId`"
        return Failed(ErrorKind.MISCONFIGURED, "crm_id_missing", message)
    moved = False
    if contact is not None:
        held = yield Request.get(_path(step, "Contact", contact), {"fields": "AccountId"})
        # Of 18 characters the last three only tell capitals apart.
        moved = str(held["AccountId"])[:_SHORT_ID] != account[:_SHORT_ID]
    if contact is not None and moved:
        path = _path(step, "Contact", contact)
        reply = yield Request.patch(path, {"AccountId": account}, call="move-contact")
        problem = refusal(reply)
        if problem is not None:
            return problem
    field = step.options.account_external_id
    owner = yield Request.get(_path(step, "Account", account), {"fields": field})
    found = {"contactId": contact, "newOwner": text({"id": owner[field]}, "id")}
    given = {name: value for name, value in found.items() if value}
    return Done(accountId=account, moved=moved, **given)


def _record(step: Step[TransferOptions], name: str, handed: str) -> str | None:
    return record_id(first_text(text(step.mapped, name), handed_on(step.context, handed)))


def _path(step: Step[TransferOptions], kind: str, record: str) -> str:
    return f"/services/data/{step.options.api_version}/sobjects/{kind}/{record}"


_ACCOUNT, _CONTACT = "001xx000003DGb2AAG", "003xx000004TMM2AAO"
_SOBJECTS = "/services/data/v62.0/sobjects"
_STEP = Step(
    id="transferContact",
    order={
        "id": "order-1",
        "owner": "id-anonymous",
        "customerDetails": {"email": "ottilie.brandvold@example.org"},
    },
    options=TransferOptions(),
    context={"salesforceV3": {"crmId": _ACCOUNT, "contactId": _CONTACT}},
)
_OWNED: Mapping[str, Any] = {
    f"GET {_SOBJECTS}/Account/{_ACCOUNT}": Reply(200, {"External_Id__c": "id-41"})
}

EXAMPLES: Sequence[Example] = (
    Example(
        name="a contact of another account is moved",
        step=_STEP,
        replies={
            f"GET {_SOBJECTS}/Contact/{_CONTACT}": Reply(200, {"AccountId": "001xx0000099999AAA"}),
            "move-contact": Reply(204, None),
            **_OWNED,
        },
        expected=Done(accountId=_ACCOUNT, moved=True, contactId=_CONTACT, newOwner="id-41"),
    ),
    Example(
        name="a contact that is there is left alone",
        step=_STEP,
        replies={
            f"GET {_SOBJECTS}/Contact/{_CONTACT}": Reply(200, {"AccountId": _ACCOUNT}),
            **_OWNED,
        },
        expected=Done(accountId=_ACCOUNT, moved=False, contactId=_CONTACT, newOwner="id-41"),
    ),
)
