"""Scripted steps of the Salesforce V3 plugin, for the contract suite."""

from collections.abc import Sequence
from typing import Any

from plugins.api import Done, Example, Failed, Reply, Step
from plugins.connectors.salesforce_v3.options import SalesforceOptions
from schemas.steps import ErrorKind

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
_MATCHED = ["a duplicate rule matched the account"]


def _part(reference: str, record: str) -> dict[str, Any]:
    body = {"id": record, "success": True, "errors": [], "created": True}
    return {"referenceId": reference, "httpStatusCode": 201, "httpHeaders": {}, "body": body}


def _halted(reference: str, code: str, **more: Any) -> dict[str, Any]:
    body = [{"errorCode": code, "message": "the record is locked", "fields": [], **more}]
    return {"referenceId": reference, "httpStatusCode": 400, "httpHeaders": {}, "body": body}


def _composite(*parts: dict[str, Any]) -> Reply:
    return Reply(200, {"compositeResponse": list(parts)})


def _matching(record: str) -> dict[str, Any]:
    found = {"matchConfidence": 100.0, "record": {"Id": record}}
    return {"allowSave": False, "matchResults": [{"matchRecords": [found]}]}


def _step(order: dict[str, Any] | None = None) -> Step[SalesforceOptions]:
    return Step(id="salesforceV3", order=order or _ORDER, options=SalesforceOptions())


EXAMPLES: Sequence[Example] = (
    Example(
        name="a new buyer gets an account and a contact",
        step=_step(),
        replies={
            "upsert-customer": _composite(_part("account", _ACCOUNT), _part("contact", _CONTACT))
        },
        expected=Done(accountId=_ACCOUNT, contactId=_CONTACT, crmId=_ACCOUNT),
    ),
    Example(
        name="a locked row is worth another attempt, whatever part it halted",
        step=_step(),
        replies={
            "upsert-customer": _composite(
                _halted("account", "PROCESSING_HALTED"), _halted("contact", "UNABLE_TO_LOCK_ROW")
            )
        },
        expected=Failed(ErrorKind.CONTENTION, "UNABLE_TO_LOCK_ROW", ""),
    ),
    Example(
        name="an account that a duplicate rule matches is the buyer's",
        step=_step(),
        replies={
            "upsert-customer": _composite(
                _halted("account", "DUPLICATES_DETECTED", duplicateResult=_matching(_ACCOUNT)),
                _halted("contact", "PROCESSING_HALTED"),
            ),
            "upsert-customer-2": _composite(_part("contact", _CONTACT)),
        },
        expected=Done(
            accountId=_ACCOUNT,
            contactId=_CONTACT,
            crmId=_ACCOUNT,
            matched=["account"],
            warnings=_MATCHED,
        ),
    ),
    Example(
        name="a change that names nobody finds whose it is",
        step=_step({"id": "order-1", "order_type": "cancel_subscription", "owner": "id-41"}),
        replies={
            "GET /services/data/v62.0/sobjects/Contact/External_Id__c/id-41": Reply(
                200, {"Id": _CONTACT, "AccountId": _ACCOUNT}
            )
        },
        expected=Done(accountId=_ACCOUNT, contactId=_CONTACT, crmId=_ACCOUNT),
    ),
)
