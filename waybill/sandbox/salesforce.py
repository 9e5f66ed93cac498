"""Salesforce as the connectors see it: upserts, updates, composites, queries and events."""

import re
from collections import deque
from collections.abc import Callable
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

import orjson

from waybill.sandbox.exchange import FAILED, Answer, Call, Route, answer
from waybill.sandbox.salesforce_fields import Fault, kind_of, known_field
from waybill.sandbox.salesforce_query import parse
from waybill.sandbox.salesforce_records import Record, Records, RefusedError, record_id

if TYPE_CHECKING:
    from waybill.sandbox.keys import KeyBook

DATA = "/services/data/{version}"
MOST_SUBREQUESTS = 25
_VERSION = re.compile(r"v\d{2}\.0")
_EVENT_KEY = re.compile(r"(\w+__)?Event_?Id__c")
_REFERENCE = re.compile(r"@\{(\w+)\.(\w+)\}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_CODES = {
    401: ("INVALID_SESSION_ID", "Session expired or invalid"),
    403: ("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
    404: ("NOT_FOUND", "The requested resource does not exist"),
    405: ("METHOD_NOT_ALLOWED", "HTTP method not allowed"),
    500: ("UNKNOWN_EXCEPTION", "An unexpected error occurred."),
    503: ("SERVER_UNAVAILABLE", "Server is unavailable."),
}
_STATUSES = {code: status for status, (code, _) in _CODES.items()} | {
    "INSUFFICIENT_ACCESS": 403,
    "INSUFFICIENT_ACCESS_OR_READONLY": 403,
    "UNSUPPORTED_MEDIA_TYPE": 415,
}
EVENTS_KEPT = 10_000


class Salesforce:
    """The partner `salesforce`. Its sObject API knows no idempotency keys, so none is honoured."""

    name = "salesforce"

    def __init__(self, now: Callable[[], float]) -> None:
        self.keys: KeyBook[Answer] | None = None
        self._now = now
        self._tokens: set[str] = set()
        self._records = Records()
        self._events: deque[Record] = deque(maxlen=EVENTS_KEPT)

    def routes(self) -> list[Route]:
        """The part of Salesforce's surface that the connectors use."""
        one, by_field = "/sobjects/{kind}/{key}", "/sobjects/{kind}/{field}/{value}"
        return [
            Route("POST", "/services/oauth2/token", self.token),
            Route("POST", f"{DATA}/composite", self.composite),
            Route("GET", f"{DATA}/query", self.resource),
            Route("POST", f"{DATA}/sobjects/{{kind}}", self.resource),
            Route("GET", f"{DATA}{one}", self.resource),
            Route("PATCH", f"{DATA}{one}", self.resource),
            Route("GET", f"{DATA}{by_field}", self.resource),
            Route("PATCH", f"{DATA}{by_field}", self.resource),
        ]

    def key_of(self, call: Call) -> str | None:
        """The header's key where one was sent, else the id that an event carries itself."""
        key = call.headers.get("Idempotency-Key")
        if key is not None or not isinstance(call.body, dict) or not call.path.endswith("__e"):
            return key
        return next(
            (str(value) for name, value in call.body.items() if _EVENT_KEY.fullmatch(name)), None
        )

    def honours(self, call: Call) -> bool:
        """Never."""
        del call
        return False

    def refuse(self, call: Call) -> Answer | None:
        """What is refused before the resource is looked at."""
        if call.path.startswith("/services/oauth2/"):
            return None
        token = call.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self._tokens:
            return self.failing(401)
        if not _VERSION.fullmatch(call.params.get("version", "v62.0")):
            return self.failing(404)
        return _about_body(call)

    def failing(self, status: int) -> Answer:
        """Salesforce's error array; a 502 or 504 comes from a gateway before it."""
        if status in {502, 504}:
            return Answer(status, b"<html>Bad gateway</html>", content_type="text/html")
        code, message = _CODES.get(status, ("UNKNOWN_EXCEPTION", f"Salesforce answers {status}."))
        return _errors(status, [Fault(code, message)])

    def refusing(self, call: Call, code: str, message: str | None) -> Answer:
        """The error array with that code; in a composite it is the first request's."""
        text = message or f"Salesforce refuses with {code}."
        if call.path.endswith("/composite") and isinstance(call.body, dict):
            return _composite_refused(call.body, Fault(code, text))
        return _errors(_STATUSES.get(code, 400), [Fault(code, text)])

    def state(self) -> Record:
        """The records by kind and id, and the platform events in the order of publication."""
        return {**self._records.dumped(), "events": list(self._events)}

    def token(self, call: Call) -> Answer:
        """Client credentials; there is no `expires_in`, and errors have a shape of their own."""
        form = call.body if call.form else {}
        if form.get("grant_type") != "client_credentials":
            document = {"error": "unsupported_grant_type", "error_description": "not supported"}
            return answer(400, document)
        if not form.get("client_id") or not form.get("client_secret"):
            document = {"error": "invalid_client", "error_description": "invalid credentials"}
            return answer(400, document)
        token = f"00DWb0000000001!AQ{token_hex(24)}"
        self._tokens.add(token)
        document = {
            "access_token": token,
            "instance_url": call.base,
            "id": f"{call.base}/id/00DWb0000000001/005Wb0000000001",
            "token_type": "Bearer",
            "issued_at": str(int(self._now() * 1000)),
            "signature": token_hex(16),
        }
        return answer(200, document)

    def resource(self, call: Call) -> Answer:
        """Any resource that can also be part of a composite."""
        self._records.lets_duplicates_pass = _allows_duplicates(call)
        inner = call.path.split("/", 4)[4]
        return self._perform(call.method, inner, dict(call.query), call.body)

    def composite(self, call: Call) -> Answer:
        """Several requests in one, all or none where asked for; always 200 on the outside."""
        wrong = _about_composite(call.body)
        if wrong is not None:
            return _errors(400, [Fault("JSON_PARSER_ERROR", wrong)])
        all_or_none = call.body.get("allOrNone", False)
        self._records.lets_duplicates_pass = _allows_duplicates(call)
        self._records.begin()
        given: dict[str, Answer] = {}
        for part in call.body["compositeRequest"]:
            given[part["referenceId"]] = self._part(part, given)
        failed = any(found.status >= FAILED for found in given.values())
        if failed and all_or_none:
            self._records.roll_back()
            given = {name: _halted(found) for name, found in given.items()}
        self._records.commit()
        effect = ",".join(found.effect for found in given.values() if found.effect) or None
        document: list[Record] = [
            {
                "body": orjson.loads(found.body) if found.body else None,
                "httpHeaders": {},
                "httpStatusCode": found.status,
                "referenceId": name,
            }
            for name, found in given.items()
        ]
        return answer(200, {"compositeResponse": document}, effect)

    def _part(self, part: Record, given: dict[str, Answer]) -> Answer:
        """One request of a composite, with what the earlier ones gave."""
        try:
            url = _filled(part["url"], given)
            body = _filled(part.get("body"), given)
        except KeyError:
            message = "The transaction was rolled back since another operation in it failed."
            return _errors(400, [Fault("PROCESSING_HALTED", message)])
        path, _, query = url.partition("?")
        pieces = path.split("/", 4)
        if pieces[:3] != ["", "services", "data"] or not _VERSION.fullmatch(pieces[3]):
            return self.failing(404)
        return self._perform(part["method"], pieces[4], dict(parse_qsl(query)), body)

    def _perform(self, method: str, inner: str, query: dict[str, str], body: Any) -> Answer:
        """`inner` is the path behind the version."""
        pieces = [unquote(piece) for piece in inner.split("/")]
        if method == "GET":
            return self._read(pieces, query)
        if not isinstance(body, dict):
            return _errors(400, [Fault("JSON_PARSER_ERROR", "The body is not a JSON object.")])
        try:
            return self._write(method, pieces, body)
        except RefusedError as refused:
            return _errors(refused.status, refused.faults)

    def _read(self, pieces: list[str], query: dict[str, str]) -> Answer:
        match pieces:
            case ["query"]:
                return self._query(query.get("q", ""))
            case ["sobjects", kind, *where] if where:
                return self._retrieve(kind, where, query.get("fields"))
            case _:
                return self.failing(404)

    def _write(self, method: str, pieces: list[str], body: Record) -> Answer:
        match method, pieces:
            case "POST", ["sobjects", kind] if kind.endswith("__e"):
                published = _published(kind, body)
                if published.effect is not None:
                    self._events.append({"type": kind, **body})
                return published
            case "POST", ["sobjects", kind]:
                key = self._records.create(kind, body)
                return answer(201, {"id": key, "success": True, "errors": []}, key)
            case "PATCH", ["sobjects", kind, key]:
                changed = self._records.update(kind, key, body)
                return Answer(204, effect=key if changed else None)
            case "PATCH", ["sobjects", kind, field, value]:
                return self._upsert(kind, field, value, body)
            case _:
                return self.failing(404)

    def _upsert(self, kind: str, field: str, value: str, body: Record) -> Answer:
        key, created, changed = self._records.upsert(kind, field, value, body)
        document = {"id": key, "success": True, "errors": [], "created": created}
        return answer(201 if created else 200, document, key if changed else None)

    def _retrieve(self, kind: str, where: list[str], fields: str | None) -> Answer:
        field, value = where if len(where) > 1 else ("Id", where[0])
        found = self._records.find(kind, field, value)
        if not found:
            return self.failing(404)
        wanted = fields.split(",") if fields else list(found[0])
        for name in wanted:
            if not known_field(kind, name):
                message = f"No such column '{name}' on sobject of type {kind}"
                return _errors(400, [Fault("INVALID_FIELD", message)])
        return answer(200, _shown(kind, found[0], wanted))

    def _query(self, text: str) -> Answer:
        query = parse(text)
        if query is None:
            message = "The sandbox reads SELECT a, b FROM X WHERE c='d' AND e='f' LIMIT n"
            return _errors(400, [Fault("MALFORMED_QUERY", message)])
        if kind_of(query.kind) is None:
            message = f"sObject type '{query.kind}' is not supported."
            return _errors(400, [Fault("INVALID_TYPE", message)])
        for field in [*query.fields, *(field for field, _ in query.conditions)]:
            if not known_field(query.kind, field):
                message = f"No such column '{field}' on entity '{query.kind}'."
                return _errors(400, [Fault("INVALID_FIELD", message)])
        if query.conditions:
            (field, value), *others = query.conditions
            found = self._records.find(query.kind, field, value)
            found = [record for record in found if _fits(record, others)]
        else:
            found = self._records.all(query.kind)
        records = [_shown(query.kind, record, query.fields) for record in found[: query.limit]]
        return answer(200, {"totalSize": len(records), "done": True, "records": records})


def _allows_duplicates(call: Call) -> bool:
    rules = call.headers.get("Sforce-Duplicate-Rule-Header", "")
    return "allowsave=true" in rules.lower().replace(" ", "")


def _about_body(call: Call) -> Answer | None:
    if call.raw and "json" not in call.headers.get("Content-Type", ""):
        return _errors(415, [Fault("UNSUPPORTED_MEDIA_TYPE", "Send application/json.")])
    if call.malformed or (call.method == "POST" and not isinstance(call.body, dict)):
        return _errors(400, [Fault("JSON_PARSER_ERROR", "The body is not a JSON object.")])
    return None


def _fits(record: Record, conditions: list[tuple[str, str]]) -> bool:
    return all(
        str(record.get(field, "")).casefold() == value.casefold() for field, value in conditions
    )


def _shown(kind: str, record: Record, fields: list[str]) -> Record:
    url = f"/services/data/v62.0/sobjects/{kind}/{record['Id']}"
    attributes = {"type": kind, "url": url}
    return {"attributes": attributes, **{field: record.get(field) for field in fields}}


def _published(kind: str, body: Record) -> Answer:
    """Publication is only enqueued: `errors` is not empty although it succeeded."""
    for field, value in body.items():
        if not field.endswith("__c"):
            message = f"No such column '{field}' on sobject of type {kind}"
            return _errors(400, [Fault("INVALID_FIELD", message)])
        if isinstance(value, dict | list):
            message = f"Cannot deserialize the value of {field} from a JSON object or list"
            return _errors(400, [Fault("JSON_PARSER_ERROR", message, (field,))])
    if not body:
        return _errors(400, [Fault("JSON_PARSER_ERROR", "An event needs at least one field.")])
    uuid = str(uuid4())
    enqueued = {"statusCode": "OPERATION_ENQUEUED", "message": uuid, "fields": []}
    document = {"id": record_id("e01", uuid), "success": True, "errors": [enqueued]}
    return answer(201, document, uuid)


def _composite_refused(body: Record, fault: Fault) -> Answer:
    """One of its requests failed, so all of them did, with 200 on the outside."""
    halted = Fault(
        "PROCESSING_HALTED",
        "The transaction was rolled back since another operation in it failed.",
    )
    parts = body.get("compositeRequest")
    names = [part.get("referenceId") for part in parts] if isinstance(parts, list) else ["one"]
    document: list[Record] = [
        {
            "body": [
                {"errorCode": said.code, "message": said.message, "fields": list(said.fields)}
            ],
            "httpHeaders": {},
            "httpStatusCode": _STATUSES.get(said.code, 400),
            "referenceId": name,
        }
        for name, said in ((name, halted if at else fault) for at, name in enumerate(names))
    ]
    return answer(200, {"compositeResponse": document})


def _about_composite(body: Record) -> str | None:
    """What is wrong with a composite, None when it can be tried."""
    unknown = body.keys() - {"allOrNone", "collateSubrequests", "compositeRequest"}
    if unknown:
        return f"Unrecognized field: {min(unknown)}"
    parts = body.get("compositeRequest")
    if not isinstance(parts, list) or not 0 < len(parts) <= MOST_SUBREQUESTS:
        return f"compositeRequest must hold 1 to {MOST_SUBREQUESTS} requests"
    names = [_reference(part) for part in parts]
    if None in names:
        return "every request needs method, url and an alphanumeric referenceId, and no more"
    return None if len(set(names)) == len(names) else "a referenceId is used twice"


def _reference(part: Any) -> str | None:
    if not isinstance(part, dict) or part.keys() - {
        "method", "url", "referenceId", "body", "httpHeaders",
    }:  # fmt: skip
        return None
    if part.get("method") not in ("GET", "POST", "PATCH", "PUT", "DELETE"):
        return None
    name, url = part.get("referenceId"), part.get("url")
    fits = isinstance(name, str) and isinstance(url, str) and _NAME.fullmatch(name)
    return str(name) if fits else None


def _filled(value: Any, given: dict[str, Answer]) -> Any:
    """`@{reference.field}` replaced; KeyError where the reference gave nothing."""
    if isinstance(value, dict):
        return {name: _filled(member, given) for name, member in value.items()}
    if not isinstance(value, str) or "@{" not in value:
        return value

    def put(found: re.Match[str]) -> str:
        earlier = given[found[1]]
        if earlier.status >= FAILED:
            raise KeyError(found[1])
        return str(orjson.loads(earlier.body or b"{}")[found[2]])

    return _REFERENCE.sub(put, value)


def _halted(found: Answer) -> Answer:
    """What became of a part when another one failed; a published event stays published."""
    if found.status >= FAILED:
        return found
    message = "The transaction was rolled back since another operation in it failed."
    halted = _errors(400, [Fault("PROCESSING_HALTED", message)])
    published = b"OPERATION_ENQUEUED" in found.body
    return Answer(400, halted.body, found.effect if published else None)


def _errors(status: int, faults: list[Fault]) -> Answer:
    document = [
        {
            "errorCode": fault.code,
            "message": fault.message,
            "fields": list(fault.fields),
            **fault.more,
        }
        for fault in faults
    ]
    return answer(status, document)
