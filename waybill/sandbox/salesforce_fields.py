"""Which fields the org has, and what may be written into them."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

LONGEST_TEXT = 255
LONGEST_ID = 18
SHORTEST_ID = 15

_ADDRESS_PARTS = {"Street": 255, "City": 40, "State": 80, "PostalCode": 20, "Country": 80}
_ACCOUNT_TEXT = {
    "Name": 255,
    "Type": 255,
    "Phone": 40,
    "Fax": 40,
    "AccountNumber": 40,
    "Website": 255,
    "Sic": 20,
    "Industry": 255,
    "Ownership": 255,
    "TickerSymbol": 20,
    "Description": 32000,
    "Rating": 255,
    "Site": 80,
    "AccountSource": 255,
    **{f"Billing{part}": length for part, length in _ADDRESS_PARTS.items()},
    **{f"Shipping{part}": length for part, length in _ADDRESS_PARTS.items()},
    # What a person account adds.
    "FirstName": 40,
    "LastName": 80,
    "Salutation": 40,
    "PersonEmail": 80,
    "PersonMobilePhone": 40,
    "PersonHomePhone": 40,
    **{f"PersonMailing{part}": length for part, length in _ADDRESS_PARTS.items()},
}
_CONTACT_TEXT = {
    "FirstName": 40,
    "LastName": 80,
    "Salutation": 40,
    "Title": 128,
    "Department": 80,
    "Email": 80,
    "Phone": 40,
    "Fax": 40,
    "MobilePhone": 40,
    "HomePhone": 40,
    "OtherPhone": 40,
    "AssistantName": 40,
    "AssistantPhone": 40,
    "LeadSource": 255,
    "Birthdate": 10,
    "Description": 32000,
    **{f"Mailing{part}": length for part, length in _ADDRESS_PARTS.items()},
    **{f"Other{part}": length for part, length in _ADDRESS_PARTS.items()},
}
_SYSTEM = frozenset(
    {"Id", "IsDeleted", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById",
     "SystemModstamp", "BillingAddress", "ShippingAddress", "MailingAddress", "OtherAddress",
     "PersonContactId", "IsPersonAccount"}
)  # fmt: skip
_EMAILS = frozenset({"Email", "PersonEmail"})


class Fault(NamedTuple):
    """One entry of Salesforce's error array."""

    code: str
    message: str
    fields: tuple[str, ...] = ()
    more: Mapping[str, Any] = MappingProxyType({})


_NONE: Mapping[str, str] = MappingProxyType({})


class Kind(NamedTuple):
    """One kind of record: its id prefix and what can be written into it."""

    prefix: str
    text: dict[str, int]
    numbers: frozenset[str] = frozenset()
    references: Mapping[str, str] = _NONE
    relations: Mapping[str, str] = _NONE


KINDS: dict[str, Kind] = {
    "Account": Kind(
        "001",
        _ACCOUNT_TEXT,
        frozenset({"AnnualRevenue", "NumberOfEmployees"}),
        {"ParentId": "Account", "OwnerId": "User", "RecordTypeId": "RecordType"},
        {"Parent": "Account", "RecordType": "RecordType"},
    ),
    "Contact": Kind(
        "003",
        _CONTACT_TEXT,
        frozenset(),
        {"AccountId": "Account", "ReportsToId": "Contact", "OwnerId": "User"},
        {"Account": "Account", "ReportsTo": "Contact"},
    ),
}
PREFIXES = {"Account": "001", "Contact": "003", "User": "005", "RecordType": "012"}


def kind_of(name: str) -> Kind | None:
    """The kind of record, None when the org has no such object; custom ones are all there."""
    if name.endswith("__c"):
        return Kind("a00", {"Name": 80})
    return KINDS.get(name)


def required(name: str, record: dict[str, Any]) -> str | None:
    """The field that a new record lacks; a person account has a last name for a name."""
    if name == "Contact":
        return None if record.get("LastName") else "LastName"
    if name == "Account":
        return None if record.get("Name") or record.get("LastName") else "Name"
    return None


def known_field(name: str, field: str) -> bool:
    """Whether records of that kind can be asked for the field."""
    kind = kind_of(name)
    if kind is None:
        return False
    return (
        field.endswith("__c")
        or field in _SYSTEM
        or field in kind.text
        or field in kind.numbers
        or field in kind.references
    )


def complaints(name: str, kind: Kind, body: dict[str, Any]) -> Iterator[Fault]:
    """What is wrong with the fields that are to be written."""
    for field, value in body.items():
        if field.endswith(("__c", "__pc", "__r")) or field == "attributes":
            continue
        if field in _SYSTEM:
            message = f"Unable to create/update fields: {field}."
            yield Fault("INVALID_FIELD_FOR_INSERT_UPDATE", message, (field,))
        elif field in kind.text:
            yield from _about_text(field, value, kind.text[field])
        elif field in kind.references:
            yield from _about_reference(field, value, kind.references[field])
        elif field in kind.numbers:
            yield from _about_number(field, value)
        elif field not in kind.relations:
            message = f"No such column '{field}' on sobject of type {name}"
            yield Fault("INVALID_FIELD", message)


def is_id(value: object, kind: str) -> bool:
    """Whether the value can be the id of a record of that kind."""
    return (
        isinstance(value, str)
        and len(value) in {SHORTEST_ID, LONGEST_ID}
        and value.isalnum()
        and value.isascii()
        and value.startswith(PREFIXES.get(kind, "a0"))
    )


def _about_text(field: str, value: object, longest: int) -> Iterator[Fault]:
    if value is None:
        return
    if not isinstance(value, str):
        yield _unreadable(field)
    elif len(value) > longest:
        message = f"{field}: data value too large (max length={longest})"
        yield Fault("STRING_TOO_LONG", message, (field,))
    elif field in _EMAILS and not 0 < value.find("@") < len(value) - 1:
        yield Fault("INVALID_EMAIL_ADDRESS", f"{field}: invalid email address", (field,))


def _about_number(field: str, value: object) -> Iterator[Fault]:
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        yield _unreadable(field)


def _about_reference(field: str, value: object, kind: str) -> Iterator[Fault]:
    if value is not None and not is_id(value, kind):
        yield Fault("MALFORMED_ID", f"{field}: id value of incorrect type: {value}", (field,))


def _unreadable(field: str) -> Fault:
    message = f"Cannot deserialize the value of the field {field} from this JSON type"
    return Fault("JSON_PARSER_ERROR", message, (field,))
