"""The partners without a vendor: callouts, entitlement grants and a receiver of webhooks."""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from waybill.sandbox.exchange import Answer, Call, Route, answer
from waybill.sandbox.keys import KeyBook

WEBHOOKS_KEPT = 10_000
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class _Plain:
    """What the three have in common: any credentials, JSON bodies, keys honoured everywhere."""

    name = ""

    def __init__(self, now: Callable[[], float]) -> None:
        self.keys: KeyBook[Answer] | None = KeyBook(now)
        self._now = now

    def refuse(self, call: Call) -> Answer | None:
        if call.method in _WITH_BODY and (call.malformed or not isinstance(call.body, dict)):
            return _failure(400, "body", "the body must be a JSON object")
        return None

    def key_of(self, call: Call) -> str | None:
        return call.headers.get("Idempotency-Key")

    def honours(self, call: Call) -> bool:
        return call.method not in {"GET", "HEAD"}

    def failing(self, status: int) -> Answer:
        return _failure(status, None, f"the partner answers {status}")

    def refusing(self, call: Call, code: str, message: str | None) -> Answer:
        """422 with the code: what the partner's own rules do not allow."""
        del call
        return _failure(422, None, message or "refused", code)

    def state(self) -> dict[str, Any]:
        """Nothing is kept."""
        return {}


class Callout(_Plain):
    """Takes any JSON at any path; its ids follow from the key, else from path and body.

    Below `/keyless` it is a partner that does not look at keys: every call has its effect.
    """

    name = "callout"

    def honours(self, call: Call) -> bool:
        """Whether a repetition is recognised."""
        return super().honours(call) and not call.path.startswith("/keyless/")

    def routes(self) -> list[Route]:
        """Anything."""
        return [Route("*", "/{anything:.*}", self.take)]

    def take(self, call: Call) -> Answer:
        """One effect per call that changes something."""
        digest = _digest(self.key_of(call) or f"{call.target} {call.raw.decode()}")
        made = f"call-{digest}"
        found = {
            "success": True,
            "id": made,
            "userId": f"user-{digest}",
            "accountReference": f"ACC-{digest[:10].upper()}",
        }
        changes = call.method in _WITH_BODY or call.method == "DELETE"
        return answer(200, found, made if changes else None)


class Entitlements(_Plain):
    """Keeps one grant per subscription; granting the same again changes nothing."""

    name = "entitlements"

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self._grants: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[Route]:
        """`/grants` for writing, `/grants/{subscription}` for writing, looking up and revoking."""
        return [
            Route("POST", "/grants", self.grant),
            Route("PUT", "/grants", self.grant),
            Route("PUT", "/grants/{subscription}", self.grant),
            Route("GET", "/grants/{subscription}", self.look_up),
            Route("DELETE", "/grants/{subscription}", self.revoke),
        ]

    def state(self) -> dict[str, Any]:
        """The grants as they were written, by subscription."""
        return {"grants": self._grants}

    def grant(self, call: Call) -> Answer:
        """201 for a new grant, 200 for a known one."""
        subscription = call.params.get("subscription") or _subscription(call.body)
        if not subscription:
            return _failure(422, "subscription", "name the subscription that the grant is for")
        if not isinstance(call.body.get("entitlements", []), list):
            return _failure(422, "entitlements", "must be a list")
        known = self._grants.get(subscription)
        self._grants[subscription] = _changed(known, call.body)
        grant = f"grant-{_digest(subscription)}"
        document = {"success": True, "id": grant, "subscription": subscription}
        changed = known != self._grants[subscription]
        return answer(201 if known is None else 200, document, grant if changed else None)

    def revoke(self, call: Call) -> Answer:
        """Takes a grant back, once."""
        subscription = call.params["subscription"]
        if self._grants.pop(subscription, None) is None:
            return _failure(404, "subscription", "has no grant")
        return answer(200, {"success": True}, f"revoked-{_digest(subscription)}")

    def look_up(self, call: Call) -> Answer:
        """The grant of a subscription as it was written."""
        grant = self._grants.get(call.params["subscription"])
        if grant is None:
            return _failure(404, "subscription", "has no grant")
        return answer(200, grant)


class Webhooks(_Plain):
    """Receives anything and shows it again with its headers, byte for byte."""

    name = "webhooks"

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self._received: deque[dict[str, Any]] = deque(maxlen=WEBHOOKS_KEPT)
        self._count = 0

    def routes(self) -> list[Route]:
        """Deliveries are posted to any name and read there."""
        return [Route("POST", "/{name}", self.receive), Route("GET", "/{name}", self.look_up)]

    def refuse(self, call: Call) -> Answer | None:
        """Nothing is refused: a receiver of webhooks takes what comes."""
        del call
        return None

    def key_of(self, call: Call) -> str | None:
        """The delivery's id."""
        return call.headers.get("webhook-id") or super().key_of(call)

    def honours(self, call: Call) -> bool:
        """Never: what failed is taken when it comes again, as by any receiver."""
        del call
        return False

    def state(self) -> dict[str, Any]:
        """What was received, oldest first."""
        return {"received": list(self._received)}

    def receive(self, call: Call) -> Answer:
        """Keep the delivery."""
        self._count += 1
        effect = self.key_of(call) or f"delivery-{self._count}"
        self._received.append(
            {
                "name": call.params["name"],
                "at": datetime.fromtimestamp(self._now(), UTC).isoformat(),
                "headers": {str(name): value for name, value in call.headers.items()},
                "body": call.raw.decode(errors="replace"),
            }
        )
        return answer(200, {"success": True, "id": effect}, effect)

    def look_up(self, call: Call) -> Answer:
        """What one receiver got, oldest first."""
        name = call.params["name"]
        items = [delivery for delivery in self._received if delivery["name"] == name]
        return answer(200, {"items": items, "next": None})


def _subscription(body: dict[str, Any]) -> str | None:
    tracking = body.get("tracking")
    places = [body.get("subscription"), body.get("subscriptionReference")]
    if isinstance(tracking, dict):
        places.append(tracking.get("subscription"))
    return next((found for found in places if isinstance(found, str) and found), None)


def _changed(known: dict[str, Any] | None, body: dict[str, Any]) -> dict[str, Any]:
    """A grant that is added to keeps what it holds, but for what ends."""
    if known is None or body.get("change") != "add":
        return body
    ended, added = body.get("ended") or [], body.get("entitlements", [])
    kept = [one for one in known.get("entitlements", []) if one not in [*ended, *added]]
    return {**body, "entitlements": [*kept, *added]}


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _failure(status: int, field: str | None, message: str, code: str | None = None) -> Answer:
    error = {"status": status, "field": field, "message": message}
    return answer(status, {"success": False, "error": error | ({"code": code} if code else {})})
