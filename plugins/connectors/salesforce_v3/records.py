"""What is written into Salesforce: the parts of the composite request, by Limio's mapping."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from plugins.api import Step
from plugins.connectors.salesforce_v3.options import SalesforceOptions
from plugins.limio import first_text, part, text
from plugins.salesforce import record_id

ACCOUNT, CONTACT = "account", "contact"
"""The parts' reference ids."""

_NAME_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known of the buyer's records, and what of them is written.

    `account` and `contact` are record ids. `matched` names those that a duplicate rule found:
    whoever typed a name and an address must not overwrite the record of the one they belong to.
    `ours`: our id is written into records that the order names. `alone`: the contact that was
    matched belongs to no account yet.
    """

    account: str | None
    contact: str | None
    matched: tuple[str, ...] = ()
    ours: bool = True
    alone: bool = False
    billing: bool = True
    warnings: tuple[str, ...] = ()


def first_plan(step: Step[SalesforceOptions]) -> Plan:
    """What the order itself knows, from Limio for Salesforce."""
    return Plan(
        account=known(step, "accountId"),
        contact=known(step, "contactId"),
        billing=step.options.include_billing_details,
    )


def known(step: Step[SalesforceOptions], name: str) -> str | None:
    """A record id that came with the order."""
    return record_id(text(step.order, "tracking", name))


def external_id(order: Mapping[str, Any], tenant: str) -> str:
    """Our id of the buyer: the owner, else from the e-mail address, else the order's own id."""
    owner, email = text(order, "owner"), text(order, "customerDetails", "email")
    seed = f"{tenant}|{email.lower()}" if email else None
    digest = hashlib.sha256(seed.encode()).hexdigest()[:32] if seed else None
    return owner or (f"id-{digest}" if digest else str(order["id"]))


def base(step: Step[SalesforceOptions]) -> str:
    """The path that all of the API is below."""
    return f"/services/data/{step.options.api_version}"


def by_our_id(step: Step[SalesforceOptions], kind: str, field: str) -> str:
    """The path of the record that carries our id in that field."""
    ours = quote(external_id(step.order, step.tenant), safe="")
    return f"{base(step)}/sobjects/{kind}/{field}/{ours}"


def parts_of(step: Step[SalesforceOptions], plan: Plan) -> Iterator[dict[str, Any]]:
    """The requests that write what the plan leaves to be written, in their order."""
    options = step.options
    if ACCOUNT not in plan.matched:
        yield _upsert(step, plan, "Account", _account(step, plan))
    owner = plan.account or "@{account.id}"
    if not options.create_person_account:
        if CONTACT not in plan.matched:
            yield _upsert(step, plan, "Contact", {**_contact(step), "AccountId": owner})
        elif plan.alone:
            yield _moved(step, plan, owner)
    elif plan.contact is None:
        # Salesforce makes the contact of a person account itself.
        url = f"{base(step)}/sobjects/Account/{owner}?fields=PersonContactId"
        yield {"method": "GET", "url": url, "referenceId": CONTACT}


def _upsert(
    step: Step[SalesforceOptions], plan: Plan, kind: str, record: Mapping[str, Any]
) -> dict[str, Any]:
    """By id where it is known, then our id is written too; else by our id, never in the body."""
    options, is_account = step.options, kind == "Account"
    field = options.account_external_id if is_account else options.contact_external_id
    known_id = plan.account if is_account else plan.contact
    if known_id is None:
        url, body = by_our_id(step, kind, field), dict(record)
    else:
        url = f"{base(step)}/sobjects/{kind}/{known_id}"
        ours = {field: external_id(step.order, step.tenant)} if plan.ours else {}
        body = {**record, **ours}
    return {"method": "PATCH", "url": url, "referenceId": kind.lower(), "body": body}


def _moved(step: Step[SalesforceOptions], plan: Plan, account: str) -> dict[str, Any]:
    """A matched contact that no account had yet."""
    url = f"{base(step)}/sobjects/Contact/{plan.contact}"
    body = {"AccountId": account}
    return {"method": "PATCH", "url": url, "referenceId": CONTACT, "body": body}


def _account(step: Step[SalesforceOptions], plan: Plan) -> dict[str, Any]:
    order, options = step.order, step.options
    customer = part(order, "customerDetails")
    own = _person(step) if options.create_person_account else _business(order, plan.account)
    record = {
        **own,
        "ParentId": text(order, "partnerSalesforceAccountId"),
        **(_billing(order) if plan.billing else {}),
    }
    if options.create_person_account:
        record |= {"PersonEmail": text(customer, "email"), "Phone": text(customer, "phone")}
    named = options.account_options.record_type_name
    return {**_given(record), **({"RecordType": {"Name": named}} if named else {})}


def _business(order: Mapping[str, Any], known_id: str | None) -> dict[str, str | None]:
    """An account that the org already has keeps its name, unless the buyer names the company."""
    company = text(order, "customerDetails", "companyName")
    person = f"{text(order, 'customerDetails', 'firstName') or ''} {surname(order)}".strip()
    return {"Name": first_text(company, None if known_id else person[:_NAME_LENGTH])}


def _person(step: Step[SalesforceOptions]) -> dict[str, str | None]:
    first, last = text(step.order, "customerDetails", "firstName"), surname(step.order)
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


def surname(order: Mapping[str, Any]) -> str | None:
    """Salesforce wants a last name; one name alone is taken for it."""
    buyer, billed = part(order, "customerDetails"), part(order, "billingDetails")
    return first_text(text(buyer, "lastName"), text(billed, "lastName"), text(buyer, "firstName"))


def _given(record: Mapping[str, str | None]) -> dict[str, Any]:
    """Without what the order leaves open: null would empty the field in Salesforce."""
    return {name: value for name, value in record.items() if value}
