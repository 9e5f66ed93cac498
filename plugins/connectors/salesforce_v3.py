"""Salesforce V3: the buyer's account and contact, matched and written in one composite request."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

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
from plugins.limio import first_text, part, text
from plugins.salesforce import (
    CONNECTION,
    CUSTOM_FIELD_PATTERN,
    OAUTH,
    VERSION_PATTERN,
    errors,
    refusal,
)
from schemas.steps import ErrorKind

_RECORD_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_NAME_LENGTH = 255


class AccountOptions(Options):
    """What is set on accounts only."""

    record_type_name: str | None = Field(default=None, alias="recordTypeName")


class SalesforceOptions(Options):
    """Limio's options, and where the org keeps our ids."""

    create_person_account: bool = Field(default=False, alias="createPersonAccount")
    account_options: AccountOptions = Field(default=AccountOptions(), alias="accountOptions")
    include_billing_details: bool = Field(default=False, alias="includeBillingDetails")
    api_version: str = Field(default="v62.0", alias="apiVersion", pattern=VERSION_PATTERN)
    account_external_id: str = Field(
        default="External_Id__c", alias="accountExternalId", pattern=CUSTOM_FIELD_PATTERN
    )
    contact_external_id: str = Field(
        default="External_Id__c", alias="contactExternalId", pattern=CUSTOM_FIELD_PATTERN
    )
    allow_duplicates: bool = Field(default=False, alias="allowDuplicates")


MANIFEST = Manifest(
    name="salesforceV3",
    service="salesforce",
    summary="Matches and writes the buyer's account and contact; hands on their ids.",
    idempotency=Idempotency.NATIVE,
    options=SalesforceOptions,
    connection=CONNECTION,
    # The sObject API has no keys: an upsert by external id is its own protection.
    key_header=None,
    errors=errors,
    oauth=OAUTH,
    docs=(
        "Records are found by `tracking.accountId` and `tracking.contactId` where the order has "
        "them, else by the external id (the order's owner, else derived from the customer). "
        "`allowDuplicates` lets an alerting duplicate rule pass. Output: `accountId`, "
        "`contactId`, `crmId` (the account's)."
    ),
)


@connector(MANIFEST)
def salesforce_v3(step: Step[SalesforceOptions]) -> Conversation:
    """One composite request: all of it is written, or nothing."""
    if not _surname(step.order):
        message = "the order names nobody; send customerDetails.lastName (or firstName)"
        return Failed(ErrorKind.PERMANENT, "customer_missing", message)
    # collateSubrequests would let Salesforce reorder the parts.
    parts = list(_parts(step))
    body = {"allOrNone": True, "collateSubrequests": False, "compositeRequest": parts}
    rule = "allowSave=true; includeRecordDetails=false; runAsCurrentUser=false"
    headers = {"Sforce-Duplicate-Rule-Header": rule} if step.options.allow_duplicates else None
    reply = yield Request.post(
        f"{_base(step)}/composite", body, call="upsert-customer", headers=headers
    )
    problem = refusal(reply)
    if problem is not None:
        return problem
    account = _written(reply, "account") or _known(step, "accountId")
    contact = _written(reply, "contact") or _known(step, "contactId")
    if account is None or contact is None:
        message = "Salesforce wrote the records without saying their ids"
        return Failed(ErrorKind.PERMANENT, "ids_missing", message)
    return Done(accountId=account, contactId=contact, crmId=account)


def external_id(order: Mapping[str, Any], tenant: str) -> str:
    """Our id of the buyer: the owner, else from the e-mail address, else the order's own id."""
    owner, email = text(order, "owner"), text(order, "customerDetails", "email")
    seed = f"{tenant}|{email.lower()}" if email else None
    digest = hashlib.sha256(seed.encode()).hexdigest()[:32] if seed else None
    return owner or (f"id-{digest}" if digest else str(order["id"]))


def _base(step: Step[SalesforceOptions]) -> str:
    return f"/services/data/{step.options.api_version}"


def _known(step: Step[SalesforceOptions], name: str) -> str | None:
    """A record id that came with the order."""
    found = text(step.order, "tracking", name)
    return found if found and _RECORD_ID.fullmatch(found) else None


def _parts(step: Step[SalesforceOptions]) -> Iterator[dict[str, Any]]:
    options = step.options
    account, contact = _known(step, "accountId"), _known(step, "contactId")
    yield _upsert(step, "Account", account, options.account_external_id, _account(step, account))
    if not options.create_person_account:
        record = {**_contact(step), "AccountId": account or "@{account.id}"}
        yield _upsert(step, "Contact", contact, options.contact_external_id, record)
    elif contact is None:
        # Salesforce makes the contact of a person account itself.
        found = f"{_base(step)}/sobjects/Account/{account or '@{account.id}'}"
        url = f"{found}?fields=PersonContactId"
        yield {"method": "GET", "url": url, "referenceId": "contact"}


def _upsert(
    step: Step[SalesforceOptions],
    kind: str,
    known: str | None,
    field: str,
    record: Mapping[str, Any],
) -> dict[str, Any]:
    """By id where it is known, then our id is written too; else by our id, never in the body."""
    ours = external_id(step.order, step.tenant)
    place = known or f"{field}/{quote(ours, safe='')}"
    return {
        "method": "PATCH",
        "url": f"{_base(step)}/sobjects/{kind}/{place}",
        "referenceId": kind.lower(),
        "body": {**record, field: ours} if known else dict(record),
    }


def _account(step: Step[SalesforceOptions], known: str | None) -> dict[str, Any]:
    order, options = step.order, step.options
    customer = part(order, "customerDetails")
    record = {
        **(_person(step) if options.create_person_account else _business(order, known)),
        "ParentId": text(order, "partnerSalesforceAccountId"),
        **(_billing(order) if options.include_billing_details else {}),
    }
    if options.create_person_account:
        record |= {"PersonEmail": text(customer, "email"), "Phone": text(customer, "phone")}
    named = options.account_options.record_type_name
    return {**_given(record), **({"RecordType": {"Name": named}} if named else {})}


def _business(order: Mapping[str, Any], known: str | None) -> dict[str, str | None]:
    """An account that the org already has keeps its name, unless the buyer names the company."""
    company = text(order, "customerDetails", "companyName")
    person = f"{text(order, 'customerDetails', 'firstName') or ''} {_surname(order)}".strip()
    return {"Name": first_text(company, None if known else person[:_NAME_LENGTH])}


def _person(step: Step[SalesforceOptions]) -> dict[str, str | None]:
    first, last = text(step.order, "customerDetails", "firstName"), _surname(step.order)
    return {"FirstName": first if first != last else None, "LastName": last}


def _contact(step: Step[SalesforceOptions]) -> dict[str, Any]:
    customer = part(step.order, "customerDetails")
    reach = {"Email": text(customer, "email"), "Phone": text(customer, "phone")}
    return _given({**_person(step), **reach})


def _billing(order: Mapping[str, Any]) -> dict[str, str | None]:
    address = part(order, "billingDetails")
    lines = (text(address, "address1"), text(address, "address2"))
    return {
        "BillingStreet": ", ".join(line for line in lines if line),
        "BillingCity": text(address, "city"),
        "BillingState": text(address, "state"),
        "BillingPostalCode": text(address, "postalCode"),
        "BillingCountry": text(address, "country"),
    }


def _surname(order: Mapping[str, Any]) -> str | None:
    """Salesforce wants a last name; one name alone is taken for it."""
    buyer, billed = part(order, "customerDetails"), part(order, "billingDetails")
    return first_text(text(buyer, "lastName"), text(billed, "lastName"), text(buyer, "firstName"))


def _given(record: Mapping[str, str | None]) -> dict[str, Any]:
    """Without what the order leaves open: null would empty the field in Salesforce."""
    return {name: value for name, value in record.items() if value}


def _written(reply: Reply, reference: str) -> str | None:
    """The id of a part; an update by id answers without a body."""
    for sub in reply["compositeResponse"]:
        if sub["referenceId"] == reference:
            body = sub["body"] or {}
            return text(body, "PersonContactId") or text(body, "id")
    return None


_ORDER = {
    "id": "order-1",
    "order_type": "new",
    "owner": "id-41",
    "customerDetails": {
        "firstName": "Ottilie",
        "lastName": "Brandvold",
        "email": "ottilie.brandvold@example.org",
    },
}
_ACCOUNT, _CONTACT = "001xx000003DGb2AAG", "003xx000004TMM2AAO"


def _part(reference: str, record: str) -> dict[str, Any]:
    body = {"id": record, "success": True, "errors": [], "created": True}
    return {"referenceId": reference, "httpStatusCode": 201, "httpHeaders": {}, "body": body}


def _halted(reference: str, code: str) -> dict[str, Any]:
    body = [{"errorCode": code, "message": "the record is locked", "fields": []}]
    return {"referenceId": reference, "httpStatusCode": 400, "httpHeaders": {}, "body": body}


def _composite(*parts: dict[str, Any]) -> Reply:
    return Reply(200, {"compositeResponse": list(parts)})


EXAMPLES: Sequence[Example] = (
    Example(
        name="a new buyer gets an account and a contact",
        step=Step(id="salesforceV3", order=_ORDER, options=SalesforceOptions()),
        replies={
            "upsert-customer": _composite(_part("account", _ACCOUNT), _part("contact", _CONTACT))
        },
        expected=Done(accountId=_ACCOUNT, contactId=_CONTACT, crmId=_ACCOUNT),
    ),
    Example(
        name="a locked row is worth another attempt, whatever part it halted",
        step=Step(id="salesforceV3", order=_ORDER, options=SalesforceOptions()),
        replies={
            "upsert-customer": _composite(
                _halted("account", "PROCESSING_HALTED"), _halted("contact", "UNABLE_TO_LOCK_ROW")
            )
        },
        expected=Failed(ErrorKind.CONTENTION, "UNABLE_TO_LOCK_ROW", ""),
    ),
)
