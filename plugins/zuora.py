"""What the connectors that talk to Zuora share: HTTP 200 is not success, a code has a category."""

import re
from collections.abc import Mapping
from typing import Any

from plugins.api import Failed, OAuthClientCredentials, Reply, Request, Step, Unknown
from schemas.steps import ErrorKind

CONNECTION = "zuora"
OAUTH = OAuthClientCredentials(token_path="/oauth/token")  # noqa: S106 (a path)
VERSION = "2025-08-12"
"""Without a version the tenant's own setting would change what comes back."""

KEY_METHODS = frozenset({"POST", "PATCH"})
"""A live tenant refuses PUT with a key."""
KEY_VALID_FOR_S = 24 * 3600

_CRM_ID = re.compile(r"[A-Za-z0-9_-]+")
_NOT_IN_NUMBER = re.compile(r"[^A-Za-z0-9_-]")
_TRIGGERS = ("ContractEffective", "ServiceActivation", "CustomerAcceptance")
_CATEGORIES = 100
_AUTHENTICATION, _NOT_FOUND = 11, 40
_BUSINESS_RULE, _INTERNAL, _EXTERNAL = 30, 60, 99
_KINDS = {
    10: ErrorKind.MISCONFIGURED,
    11: ErrorKind.MISCONFIGURED,
    50: ErrorKind.CONTENTION,
    61: ErrorKind.TRANSIENT,
    70: ErrorKind.RATE_LIMITED,
}
_DECLINED = re.compile(
    r"declin|insufficient funds|do not honou?r|expired card|card (has |is )?expired|"
    r"invalid card|card (was )?(refused|rejected)|lost card|stolen card",
    re.IGNORECASE,
)
_EXISTS = re.compile(r"already exists?|already in use|duplicate|must be unique", re.IGNORECASE)
_RETRIED = frozenset({ErrorKind.CONTENTION, ErrorKind.TRANSIENT, ErrorKind.RATE_LIMITED})
_NO_SUCH, _SERVER_ERROR = 404, 500
# The token was turned away; the first request with this key is still running. The general rules
# know what that means, while the code in the body would read as a refusal of the order.
_BY_STATUS = frozenset({401, 409})
_TRACK_ID_LENGTH = 64
_NOT_IN_TRACK_ID = re.compile(r"""[^\x21-\x7e]|[:;"']""")


def headers_of(step: Step[Any], version: str = VERSION) -> dict[str, str]:
    """Zuora answers with our track id, by which its support finds a request."""
    track = _NOT_IN_TRACK_ID.sub("-", f"{step.order['id']}.{step.id}")[:_TRACK_ID_LENGTH]
    return {"Zuora-Version": version, "Zuora-Track-Id": track}


def triggers(start: str | None) -> list[dict[str, str | None]]:
    """All three, so that no tenant's setting leaves the order pending."""
    return [{"name": name, "triggerDate": start} for name in _TRIGGERS]


def number_suffix(step: Step[Any]) -> str:
    """Tells the numbers of a further step of the order from those of its first."""
    return f"-{_NOT_IN_NUMBER.sub('-', step.id)}"


def is_crm_id(given: str) -> bool:
    """Whether it can stand in a query as it is."""
    return _CRM_ID.fullmatch(given) is not None


def accounts_of_customer(step: Step[Any], crm_id: str) -> Request:
    """Asks for the accounts with that CRM id."""
    query = {"filter[]": f"crmid.EQ:{crm_id}", "pageSize": "99"}
    return Request("GET", "/object-query/accounts", query=query, headers=headers_of(step))


def errors(reply: Reply) -> Failed | Unknown | None:
    """The class of an error reply by its codes' categories.

    Worth another attempt only if all its reasons are; unknown if one of those leaves it open.
    """
    if reply.status in _BY_STATUS:
        return None
    found = [_classified(code, message) for code, message in _reasons(reply.body)]
    if reply.status >= _SERVER_ERROR:
        return Unknown(found[0].code, found[0].message) if found else None
    final = (one for one in found if isinstance(one, Failed) and one.kind not in _RETRIED)
    open_ = (one for one in found if isinstance(one, Unknown))
    return next(final, None) or next(open_, None) or next(iter(found), None)


def refusal(reply: Reply) -> Failed | Unknown | None:
    """Why a reply with a good status is none; older interfaces say `Success`."""
    said = reply.body if isinstance(reply.body, Mapping) else {}
    if not any(said.get(name) is False for name in ("success", "Success")):
        return None
    unnamed = Failed(ErrorKind.PERMANENT, "refused", "Zuora refused without saying why")
    return errors(reply) or unnamed


def not_found(reply: Reply) -> bool:
    """Tenants say it by the status or, with HTTP 200, by the category."""
    categories = {_category(code) for code, _ in _reasons(reply.body)}
    return reply.status == _NO_SUCH or categories == {_NOT_FOUND}


def _classified(code: str, message: str) -> Failed | Unknown:
    """Money is why 60 and 99 are not repeated unseen: a payment may have been taken."""
    category = _category(code)
    if category == _EXTERNAL and _DECLINED.search(message):
        return Failed(ErrorKind.DECLINED, code, message)
    # Our numbers are ours alone, so what exists already may be what an earlier attempt made.
    repeated = category == _BUSINESS_RULE and _EXISTS.search(message)
    if category in {_INTERNAL, _EXTERNAL} or repeated:
        return Unknown(code, message)
    return Failed(_KINDS.get(category, ErrorKind.PERMANENT), code, message)


def _category(code: str) -> int:
    """-1 for a code that is no number. Long codes that begin with 9 are about authentication."""
    if not code.isdecimal():
        return -1
    return _AUTHENTICATION if code.startswith("9000") else int(code) % _CATEGORIES


def _reasons(body: Any) -> list[tuple[str, str]]:
    """Codes are numbers in the documentation and texts in the specification."""
    reasons = _first(body, "reasons", "Errors")
    return [
        (
            str(_first(reason, "code", "Code") or "unnamed"),
            str(_first(reason, "message", "Message")),
        )
        for reason in (reasons if isinstance(reasons, list) else [])
        if isinstance(reason, Mapping)
    ]


def _first(body: Any, *names: str) -> Any:
    there = (body[name] for name in names if isinstance(body, Mapping) and name in body)
    return next(there, "")
