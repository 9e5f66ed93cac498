"""What Zuora tells, and what is asked of it: each becomes an `external` order, so it is in the log.

An order of its own in the lane of the subscription: what changes it here and what changed it
there do not overtake each other, and who wants to know hears of both in the same way.
"""

from typing import Any

import orjson
from aiohttp import web

from streams.core import ids
from streams.core.intake import Prepared
from waybill.api.bodies import LONGEST_WAIT_S, fitting, idempotency_key, json_of, patience_of
from waybill.api.call import Call, answered
from waybill.api.limio_shapes import ZuoraNotification
from waybill.api.submitting import answer_body, location_of, outcome_of, prepared_of, take

_PARTNER = "zuora"
_SYNCHRONISE = "Synchronise"
_GOOD = frozenset({"complete", "post_processing"})
_NUMBERS = ("subscriptionNumber", "SubscriptionNumber", "subscriptionName", "SubscriptionName")
"""Members of a notification's data that name the subscription as people and orders do."""


async def notified(call: Call) -> web.Response:
    """Takes the notification; the same one again is the same order."""
    told: ZuoraNotification = fitting(ZuoraNotification, await json_of(call.request))
    prepared = _prepared(call, told, _identity(call, told))
    await take(call, prepared)
    headers = {"Location": location_of(prepared)}
    return answered(answer_body(prepared), status=202, headers=headers)


async def synchronise(call: Call) -> web.Response:
    """Reads one subscription from Zuora, and waits until that is done."""
    subscription = call.part("id")
    key = idempotency_key(call.request) or call.api.services.random_bytes(16).hex()
    told = ZuoraNotification(subscriptionID=subscription, type=_SYNCHRONISE)
    prepared = _prepared(call, told, _derived(call, _SYNCHRONISE, subscription, key))
    await take(call, prepared)
    seconds = patience_of(call.request)
    outcome = await outcome_of(call, prepared, LONGEST_WAIT_S if seconds is None else seconds)
    answer = {
        "success": None if outcome is None else outcome["status"] in _GOOD,
        "id": subscription,
        "owner": prepared.owner,
        "order": prepared.order_id,
        "status": "submitted",
        **(outcome or {}),
    }
    headers = {"Location": location_of(prepared)}
    return answered(answer, status=202 if outcome is None else 200, headers=headers)


def _prepared(call: Call, told: ZuoraNotification, external_id: str) -> Prepared:
    return prepared_of(call, orjson.dumps(_order(call, told, external_id)), None)


def _order(call: Call, told: ZuoraNotification, external_id: str) -> dict[str, Any]:
    subscription = told.subscriptionID
    number = next((n for name in _NUMBERS if (n := _text(told.data, name))), subscription)
    order = {
        "__spec_version": "2",
        "order_type": "external",
        "external_id": external_id,
        "forSubscription": number,
        "mode": _mode(call),
        "source": _PARTNER,
        "initiated_source": _PARTNER,
        "notification": {"type": told.type, "subscriptionID": subscription},
    }
    data = _data(told.data, {subscription, number})
    return order if data is None else {**order, "notificationData": data}


def _data(data: Any, names: set[str]) -> Any:
    """Sealed in the log, since nobody knows what is in it; what names the subscription is not."""
    if isinstance(data, dict):
        data = {
            name: value
            for name, value in data.items()
            if not (isinstance(value, str) and value in names)
        }
    return data or None


def _identity(call: Call, told: ZuoraNotification) -> str:
    """Zuora sends a callout again until it is answered, and gives it no id of its own.

    A notification without data says nothing that tells it from a later one of its kind, so the
    minute does. To synchronise twice does no harm; to miss a change would.
    """
    key = idempotency_key(call.request)
    if key is not None:
        return _derived(call, "key", key)
    said = orjson.dumps(told.data, option=orjson.OPT_SORT_KEYS).decode() if told.data else ""
    minute = "" if said else call.api.services.now().strftime("%Y-%m-%dT%H:%M")
    return _derived(call, told.type, told.subscriptionID, said, minute)


def _derived(call: Call, *parts: str) -> str:
    return f"{_PARTNER}-" + ids.derived_uuid("notification", _mode(call), *parts)


def _mode(call: Call) -> str:
    return call.principal.mode or str(call.query.mode)


def _text(data: Any, name: str) -> str | None:
    found = data.get(name) if isinstance(data, dict) else None
    return found if isinstance(found, str) and found else None
