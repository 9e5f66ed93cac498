"""The records of the org, found by id or by any external id, with a way back for composites."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, TypeAlias

from waybill.sandbox.salesforce_duplicates import detected, match
from waybill.sandbox.salesforce_fields import (
    PREFIXES,
    SHORTEST_ID,
    Fault,
    Kind,
    complaints,
    is_id,
    kind_of,
    required,
)

Record: TypeAlias = dict[str, Any]

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_CHUNK = 5
_INDEXED = frozenset({"Email", "PersonEmail", "Name"})
_INSTANCE = "Wb0"


class RefusedError(Exception):
    """A write that Salesforce refuses; carries the error array and the HTTP status."""

    def __init__(self, faults: list[Fault], status: int = 400) -> None:
        super().__init__(faults[0].message)
        self.faults = faults
        self.status = status


def record_id(prefix: str, name: str) -> str:
    """An id of 18 characters with its check characters, always the same for the same name."""
    number = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
    digits = []
    for _ in range(SHORTEST_ID - len(prefix) - len(_INSTANCE)):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return with_check(prefix + _INSTANCE + "".join(digits))


def with_check(short: str) -> str:
    """The 18-character form: each chunk of five says which of its letters are capitals."""
    check = ""
    for start in range(0, SHORTEST_ID, _CHUNK):
        chunk = short[start : start + _CHUNK]
        check += _CHECK[sum(1 << place for place, c in enumerate(chunk) if "A" <= c <= "Z")]
    return short + check


class Records:
    """All records. Well-formed ids from outside count as records the org had before."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Record]] = {}
        self._index: dict[tuple[str, str, str], dict[str, None]] = {}
        self._external: set[tuple[str, str]] = set()
        self._undo: list[tuple[str, str, Record | None]] | None = None
        self._count = 0
        self.lets_duplicates_pass = False

    def find(self, kind: str, field: str, value: str) -> list[Record]:
        """Records with that value, oldest first; text is compared without case."""
        if field == "Id":
            found = self.get(kind, value)
            return [found] if found else []
        if field in _INDEXED or field.endswith("__c"):
            ids = self._index.get((kind, field, value.casefold()), {})
            return [self._records[kind][found] for found in ids]
        wanted = value.casefold()
        everything = self._records.get(kind, {}).values()
        return [found for found in everything if str(found.get(field, "")).casefold() == wanted]

    def all(self, kind: str) -> list[Record]:
        """Every record of a kind."""
        return list(self._records.get(kind, {}).values())

    def dumped(self) -> dict[str, dict[str, Record]]:
        """Every record by kind and id."""
        return {kind: dict(table) for kind, table in self._records.items()}

    def get(self, kind: str, key: str) -> Record | None:
        """A record by id of 15 or 18 characters."""
        return self._records.get(kind, {}).get(_long(key))

    def create(self, kind: str, body: Record, seed: str | None = None) -> str:
        """A new record's id; `seed` makes the id follow from an external id."""
        self._count += 1
        changes = self._checked(kind, body)
        missing = required(kind, changes)
        if missing is not None:
            message = f"Required fields are missing: [{missing}]"
            raise RefusedError([Fault("REQUIRED_FIELD_MISSING", message, (missing,))])
        self._unique(kind, None, changes)
        matched = match(self.find, kind, changes)
        if matched and not (matched.passable and self.lets_duplicates_pass):
            raise RefusedError([detected(kind, matched)])
        prefix = PREFIXES.get(kind, "a00")
        key = record_id(prefix, f"{kind}/{seed or self._count}")
        if key in self._records.get(kind, {}):  # the external id was moved to another record
            key = record_id(prefix, f"{kind}/{seed}/{self._count}")
        self._put(kind, key, {"Id": key, **changes})
        return key

    def update(self, kind: str, key: str, body: Record) -> bool:
        """Whether the update changed anything."""
        known = self.get(kind, key)
        if known is None:
            if not is_id(key, kind):
                message = "The requested resource does not exist"
                raise RefusedError([Fault("NOT_FOUND", message)], 404)
            known = {"Id": _long(key)}
        changes = self._checked(kind, body)
        self._unique(kind, known["Id"], changes)
        if all(name in known and known[name] == value for name, value in changes.items()):
            return False
        self._put(kind, known["Id"], {**known, **changes})
        return True

    def upsert(self, kind: str, field: str, value: str, body: Record) -> tuple[str, bool, bool]:
        """The record's id, whether it was created, and whether anything changed."""
        if not field.endswith("__c"):
            message = f"Provided external ID field does not exist or is not accessible: {field}"
            raise RefusedError([Fault("NOT_FOUND", message)], 404)
        if field in body:
            message = f"The {field} field should not be specified in the sobject data."
            raise RefusedError([Fault("INVALID_FIELD", message, (field,))])
        self._external.add((kind, field))
        found = self.find(kind, field, value)
        if not found:
            key = self.create(kind, {**body, field: value}, f"{field}/{value}")
            return key, True, True
        return found[0]["Id"], False, self.update(kind, found[0]["Id"], body)

    def begin(self) -> None:
        """From here on, changes can be taken back."""
        self._undo = []

    def commit(self) -> None:
        """Let the changes stand."""
        self._undo = None

    def roll_back(self) -> None:
        """Take back every change since `begin`."""
        undo, self._undo = self._undo or [], None
        for kind, key, before in reversed(undo):
            self._put(kind, key, before)

    def _checked(self, kind: str, body: Record) -> Record:
        """The fields to write; relations by external id are resolved to ids."""
        known = kind_of(kind)
        if known is None:
            raise RefusedError([Fault("NOT_FOUND", "The requested resource does not exist")], 404)
        faults = list(complaints(kind, known, body))
        if faults:
            raise RefusedError(faults)
        related = {name: value for name, value in body.items() if name in known.relations}
        changes = {
            name: value
            for name, value in body.items()
            if name != "attributes" and name not in related
        }
        for name, value in related.items():
            changes[f"{name}Id"] = self._related(known, name, value)
        return changes

    def _related(self, known: Kind, name: str, value: Any) -> str:
        target = known.relations[name]
        if not isinstance(value, dict) or len(value) != 1:
            message = f"{name}: give one external id field"
            raise RefusedError([Fault("INVALID_FIELD", message, (name,))])
        field, wanted = next(iter(value.items()))
        if target == "RecordType":  # every record type is there
            return record_id(PREFIXES[target], str(wanted))
        found = self.find(target, field, str(wanted))
        if not found:
            message = f"Foreign key external ID: {wanted} not found for field {field} in {target}"
            raise RefusedError([Fault("INVALID_FIELD", message, (name,))])
        key: str = found[0]["Id"]
        return key

    def _unique(self, kind: str, own: str | None, changes: Record) -> None:
        """Two records never share a value of a field that was used as an external id."""
        for name, value in changes.items():
            if (kind, name) not in self._external or not isinstance(value, str):
                continue
            others = [found["Id"] for found in self.find(kind, name, value) if found["Id"] != own]
            if others:
                message = f"duplicate value found: {name} duplicates value on record {others[0]}"
                raise RefusedError([Fault("DUPLICATE_VALUE", message, (name,))])

    def _put(self, kind: str, key: str, record: Record | None) -> None:
        table = self._records.setdefault(kind, {})
        before = table.get(key)
        if self._undo is not None:
            self._undo.append((kind, key, before))
        for place in _places(kind, before):
            self._index[place].pop(key, None)
        if record is None:
            table.pop(key, None)
            return
        if kind == "Account" and "LastName" in record:  # a person account brings its contact
            contact = record_id(PREFIXES["Contact"], f"person/{key}")
            record.setdefault("PersonContactId", contact)
        table[key] = record
        for place in _places(kind, record):
            self._index.setdefault(place, {})[key] = None


def _places(kind: str, record: Record | None) -> Iterator[tuple[str, str, str]]:
    for name, value in (record or {}).items():
        if isinstance(value, str) and (name in _INDEXED or name.endswith("__c")):
            yield kind, name, value.casefold()


def _long(key: str) -> str:
    return with_check(key) if len(key) == SHORTEST_ID else key
