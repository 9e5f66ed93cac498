"""The payment method that an order names: attached, made the default, told to the subscription."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from plugins.api import Reply, Request, Step
from plugins.connectors.zuora.asking import attempted, done, found, path_of
from plugins.connectors.zuora.custom_fields import given
from plugins.connectors.zuora.envelope import StoppedError, unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.limio import first_text, parts, text
from schemas.steps import ErrorKind

_INVOICE = "invoice"
_ACTIVE = "Active"


@dataclass(frozen=True, slots=True)
class Method:
    """`is_new`: made on a hosted page, and nobody's yet. Zuora forgets those after ten days."""

    id: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Held:
    """A method that an account has."""

    id: str
    type: str
    is_default: bool


def method_of(step: Step[ZuoraOptions]) -> Method | None:
    """The order's method: made on the hosted page, or one that the buyer had."""
    order = step.order
    if text(order, "payment", "type") == _INVOICE:
        fixed = step.options.invoice_payment_method_id
        return Method(fixed, is_new=False) if fixed else None
    made = text(order, "payment", "zuora", "refId")
    if made:
        return Method(made, is_new=True)
    had = first_text(
        text(order, "payment", "zuora", "paymentMethodId"),
        text(order, "payment", "paymentMethodId"),
    )
    return Method(had, is_new=False) if had else None


def apm_fields(step: Step[ZuoraOptions], method: Method | None) -> dict[str, Any]:
    """What the Advanced Payment Manager reads from the subscription."""
    options = step.options
    if not options.apm or method is None:
        return {}
    fields = {options.apm_payment_method_field: method.id}
    gateway = first_text(options.payment_gateway, options.payment_gateway_id)
    if options.apm_payment_gateway_field is not None and gateway is not None:
        fields[options.apm_payment_gateway_field] = gateway
    return fields


def profile(step: Step[ZuoraOptions], method: Method) -> dict[str, str]:
    """The subscription's own method, where Zuora keeps one per subscription."""
    return given(paymentMethodId=method.id, paymentGatewayId=step.options.payment_gateway_id)


def attached(
    step: Step[ZuoraOptions], account: str, method: Method
) -> Generator[Request, Reply, None]:
    """A new method becomes the account's. That it is so already is no failure."""
    if not method.is_new:
        return
    path, body = path_of("payment-methods", method.id), {"accountKey": account}
    reply = yield from attempted(step, "PUT", path, body, "attach-payment-method")
    if isinstance(reply, Reply):
        return
    had = yield from held(step, account)
    if method.id not in {one.id for one in had}:
        raise StoppedError(reply)


def made_default(
    step: Step[ZuoraOptions], account: str, method: Method, **more: str
) -> Generator[Request, Reply, None]:
    """From now on the account pays by it, automatically."""
    body = {"defaultPaymentMethodId": method.id, "autoPay": True, **more}
    yield from done(step, "PUT", path_of("accounts", account), body, "update-account")


def taken_over(
    step: Step[ZuoraOptions], account: str, method: Method | None
) -> Generator[Request, Reply, None]:
    """Before an order of an existing account uses a method.

    Where subscriptions have methods of their own the account's default stays as it is.
    """
    if method is None:
        return
    yield from attached(step, account, method)
    if method.is_new and not (step.options.payment_profiles or step.options.apm):
        yield from made_default(step, account, method)


def told_to_subscription(
    step: Step[ZuoraOptions], number: str, subscription_id: str | None, method: Method
) -> Generator[Request, Reply, None]:
    """The subscription's custom fields and payment profile, where the tenant works with them."""
    fields = apm_fields(step, method)
    if fields:
        path = path_of("subscriptions", number, "customFields")
        yield from done(step, "PUT", path, {"customFields": fields}, "update-subscription-fields")
    if step.options.payment_profiles:
        item = {"subscriptionId": subscription_id or number, **profile(step, method)}
        entry = {name: _hyphenated(value) for name, value in item.items()}
        body = {"bulkPaymentOptionItems": [entry]}
        yield from done(step, "PUT", path_of("payment-profile"), body, "update-payment-profile")


def held(step: Step[ZuoraOptions], account: str) -> Generator[Request, Reply, list[Held]]:
    """The account's active methods."""
    reply = yield from found(step, path_of("accounts", account, "payment-methods"))
    if reply is None:
        message = f"Zuora has no account {account!r}; check accountNumber"
        raise unfit("account_unknown", message, ErrorKind.PERMANENT)
    default = text(reply.body, "defaultPaymentMethodId")
    return [
        Held(found_id, text(one, "type") or "", is_default=found_id == default)
        for one in _listed(reply.body)
        if (found_id := text(one, "id")) and (text(one, "status") or _ACTIVE) == _ACTIVE
    ]


def _listed(body: Any) -> Iterator[Mapping[str, Any]]:
    """Zuora groups them by type; the names of the groups differ from those of the types."""
    for name in body if isinstance(body, Mapping) else ():
        yield from parts(body, name)


def _hyphenated(value: str) -> str:
    """Payment profiles want ids as UUIDs, all else has them without hyphens."""
    try:
        return str(UUID(value))
    except ValueError:
        return value
