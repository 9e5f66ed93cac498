"""Salesforce V3: the buyer's account and contact, matched and written in one composite request."""

from collections.abc import Generator
from dataclasses import replace

from plugins.api import (
    Conversation,
    Done,
    Failed,
    Idempotency,
    Manifest,
    Outcome,
    Reply,
    Request,
    Step,
    connector,
)
from plugins.connectors.salesforce_v3.matching import revised
from plugins.connectors.salesforce_v3.options import SalesforceOptions
from plugins.connectors.salesforce_v3.records import (
    ACCOUNT,
    CONTACT,
    Plan,
    base,
    by_our_id,
    first_plan,
    parts_of,
    surname,
)
from plugins.limio import text
from plugins.salesforce import CONNECTION, OAUTH, errors, refusal
from schemas.steps import ErrorKind

_MOST_ROUNDS = 4
"""Account matched, contact matched, our id taken, address refused: each at most once."""

_NO_SUCH, _SEVERAL = 404, 300
_RULE = "allowSave=true; includeRecordDetails=false; runAsCurrentUser=false"

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
        "them, else by the external id (the order's owner, else derived from the customer), else "
        "by the org's own duplicate rules (`useDuplicateRules`): a record that they match is "
        "handed on and left as it is. `allowDuplicates` lets an alerting duplicate rule pass. A "
        "change whose order names nobody looks the records up and writes nothing. Output: "
        "`accountId`, `contactId`, `crmId` (the account's), `matched` (the kinds of records that "
        "duplicate rules found), `warnings`."
    ),
)


@connector(MANIFEST)
def salesforce_v3(step: Step[SalesforceOptions]) -> Conversation:
    """One composite request: all of it is written, or nothing.

    Another one follows where Salesforce refuses what may be left out, or names the record that
    the buyer has already.
    """
    if not surname(step.order):
        return (yield from _known_customer(step))
    plan = first_plan(step)
    if plan.contact and not plan.account and not step.options.create_person_account:
        # Or a contact that the order names would be moved to a new account.
        plan = replace(plan, account=(yield from _owner_of(step, plan.contact)))
    problem: Failed | None = None
    for turn in range(_MOST_ROUNDS):
        reply = yield _composite(step, plan, turn)
        problem = refusal(reply)
        if problem is None:
            return _done(plan, reply)
        plan_or_problem = revised(step, plan, reply, problem)
        if isinstance(plan_or_problem, Failed):
            return plan_or_problem
        plan = plan_or_problem
        if plan.matched == (CONTACT,) and plan.contact and plan.account is None:
            plan = yield from _with_owner(step, plan, plan.contact)
        if not any(part["method"] == "PATCH" for part in parts_of(step, plan)) and plan.contact:
            return _found(plan)
    return problem or Failed(ErrorKind.PERMANENT, "refused", "Salesforce refused every time")


def _composite(step: Step[SalesforceOptions], plan: Plan, turn: int) -> Request:
    # collateSubrequests would let Salesforce reorder the parts.
    parts = list(parts_of(step, plan))
    body = {"allOrNone": True, "collateSubrequests": False, "compositeRequest": parts}
    headers = {"Sforce-Duplicate-Rule-Header": _RULE} if step.options.allow_duplicates else None
    call = "upsert-customer" if turn == 0 else f"upsert-customer-{turn + 1}"
    return Request.post(f"{base(step)}/composite", body, call=call, headers=headers)


def _owner_of(step: Step[SalesforceOptions], contact: str) -> Generator[Request, Reply, str | None]:
    """The account that a contact belongs to: it is the buyer's, too."""
    path = f"{base(step)}/sobjects/Contact/{contact}"
    reply = yield Request.get(path, {"fields": "AccountId"})
    account = reply["AccountId"]
    return None if account is None else str(account)


def _with_owner(
    step: Step[SalesforceOptions], plan: Plan, contact: str
) -> Generator[Request, Reply, Plan]:
    account = yield from _owner_of(step, contact)
    if account is None:
        return replace(plan, alone=True)
    return replace(plan, account=account, matched=(*plan.matched, ACCOUNT))


def _known_customer(step: Step[SalesforceOptions]) -> Conversation:
    """A change says which subscription it is about, and need not say whose it is."""
    if (text(step.order, "order_type") or "new") == "new":
        message = "the order names nobody; send customerDetails.lastName (or firstName)"
        return Failed(ErrorKind.PERMANENT, "customer_missing", message)
    plan, options = first_plan(step), step.options
    if plan.account and plan.contact:
        return _found(plan)
    person = options.create_person_account
    if person:
        path = by_our_id(step, "Account", options.account_external_id)
    else:
        path = by_our_id(step, "Contact", options.contact_external_id)
    account, contact = ("Id", "PersonContactId") if person else ("AccountId", "Id")
    reply = yield Request.get(path, {"fields": f"{account},{contact}"}, accept={_NO_SUCH})
    if reply.status == _SEVERAL:
        return errors(reply) or Failed(ErrorKind.PERMANENT, "refused", "several records")
    if not reply.ok:
        return _found(replace(plan, warnings=("Salesforce knows nobody by the order's owner",)))
    found = {name: text({name: reply[name]}, name) for name in (account, contact)}
    return _found(
        replace(
            plan,
            account=plan.account or found[account],
            contact=plan.contact or found[contact],
        )
    )


def _done(plan: Plan, reply: Reply) -> Outcome:
    account = _written(reply, ACCOUNT) or plan.account
    contact = _written(reply, CONTACT) or plan.contact
    if account is None or contact is None:
        message = "Salesforce wrote the records without saying their ids"
        return Failed(ErrorKind.PERMANENT, "ids_missing", message)
    return _found(replace(plan, account=account, contact=contact))


def _found(plan: Plan) -> Done:
    matched = tuple(sorted(plan.matched))
    warnings = [*plan.warnings, *(f"a duplicate rule matched the {one}" for one in matched)]
    output = {
        "accountId": plan.account,
        "contactId": plan.contact,
        "crmId": plan.account,
        "matched": list(matched),
        "warnings": warnings,
    }
    return Done(**{name: value for name, value in output.items() if value})


def _written(reply: Reply, reference: str) -> str | None:
    """The id of a part; an update by id answers without a body."""
    for sub in reply["compositeResponse"]:
        if sub["referenceId"] == reference:
            body = sub["body"] or {}
            return text(body, "PersonContactId") or text(body, "id")
    return None
