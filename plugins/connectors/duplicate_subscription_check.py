"""Duplicate subscription check: refuses to sell a product twice to one customer of the CRM."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from pydantic import Field

from plugins.api import (
    Conversation,
    Done,
    Example,
    Failed,
    Idempotency,
    Manifest,
    Options,
    PartnerSurpriseError,
    Reply,
    Request,
    Step,
    Unknown,
    connector,
)
from plugins.limio import (
    first_text,
    handed_on,
    items,
    offer_attributes,
    part,
    parts,
    products,
    text,
)
from plugins.zuora import (
    CONNECTION,
    OAUTH,
    accounts_of_customer,
    errors,
    headers_of,
    is_crm_id,
    not_found,
    refusal,
)
from schemas.steps import ErrorKind

_MOST_PAGES = 10
_BUYER_MESSAGE = "You have this subscription already. Sign in to see or to change it."


class CheckOptions(Options):
    """Which products are checked, what counts as having one, and who is asked."""

    all_products: bool = Field(default=False, alias="allProducts")
    """Check every product, not only those with `block_multiple__limio`."""
    statuses: tuple[str, ...] = Field(default=("Active",), min_length=1)
    """Of subscriptions that stand in the way."""
    endpoint: str | None = Field(default=None, pattern=r"^https?://[^/\s?#]+(/[^\s?#]*)?$")
    """A list of the tenant's own that is asked instead of Zuora, with `?crmId=`."""
    buyer_message: str = Field(default=_BUYER_MESSAGE, alias="buyerMessage", min_length=1)
    """What the buyer is told."""


class Wanted(NamedTuple):
    """A product that may be bought once; `names` are what the billing system may call it."""

    label: str
    names: frozenset[str]


class Held(NamedTuple):
    """A subscription of the customer's, with the names of what is in it."""

    number: str
    status: str
    names: frozenset[str]


MANIFEST = Manifest(
    name="duplicateSubscriptionCheck",
    service="limio",
    summary="Stops a new order of who has a subscription to the same product already.",
    idempotency=Idempotency.NATIVE,
    options=CheckOptions,
    connection=CONNECTION,
    # It only asks.
    key_header=None,
    errors=errors,
    oauth=OAUTH,
    endpoint=lambda options: options.endpoint,
    docs=(
        "Meant to come after salesforceV3, whose `crmId` says who buys. Products with the "
        "attribute `block_multiple__limio` are checked (`allProducts`: all). The customer's "
        "accounts are those in Zuora with that CRM id; a rate plan is the same product where its "
        "SKU, product name, rate plan name or id is the offer's. `statuses` are those of a "
        "subscription that stands in the way, `Active` by default. With `endpoint` that address "
        "is asked instead: "
        '`GET ?crmId=...`, answered `{"items": [{"subscription": "...", "status": "active", '
        '"products": ["product code"]}]}`. Two orders at the same time see each other only where '
        "the lane is the customer's. Orders that are not new pass. Output: `checked` (products)."
    ),
)


@connector(MANIFEST)
def duplicate_subscription_check(step: Step[CheckOptions]) -> Conversation:
    """Asks only; the buyer's message says what to do."""
    wanted = list(_wanted(step))
    if not wanted:
        return Done(checked=[])
    crm_id = first_text(
        text(step.mapped, "crmId"),
        handed_on(step.context, "crmId"),
        text(step.order, "tracking", "accountId"),
    )
    if crm_id is None or not is_crm_id(crm_id):
        message = "no CRM id says who buys: put salesforceV3 before it, or map `crmId`"
        return Failed(ErrorKind.MISCONFIGURED, "crm_id_missing", message)
    ask = _listed if step.options.endpoint else _billed
    held = yield from ask(step, crm_id)
    if not isinstance(held, list):
        return held
    for product in wanted:
        for subscription in held:
            if product.names & subscription.names:
                return _duplicate(step, product, subscription)
    return Done(checked=[product.label for product in wanted])


def _duplicate(step: Step[CheckOptions], product: Wanted, held: Held) -> Failed:
    message = f"{product.label} is in the customer's subscription {held.number} ({held.status})"
    buyer_message = step.options.buyer_message
    return Failed(ErrorKind.PERMANENT, "duplicate_subscription", message, buyer_message)


def _wanted(step: Step[CheckOptions]) -> Iterator[Wanted]:
    if (text(step.order, "order_type") or "new") not in {"new", "submitted"}:
        return
    for item in items(step.order):
        offer = offer_attributes(item)
        plan = (text(offer, name) for name in ("rate_plan__zuora", "productRatePlanId"))
        sold = products(item)
        # A bundle's rate plan is no product's alone.
        offered = [*plan] if len(sold) == 1 else []
        for product in sold:
            attributes = part(product, "attributes")
            if not (step.options.all_products or _flag(attributes.get("block_multiple__limio"))):
                continue
            code, name = text(attributes, "product_code__limio"), text(product, "name")
            names = (code, name, text(product, "path"), *offered)
            label = first_text(code, name, text(product, "path")) or "the product"
            yield Wanted(label, _names(*names))


def _billed(
    step: Step[CheckOptions], crm_id: str
) -> Generator[Request, Reply, list[Held] | Failed | Unknown]:
    """What Zuora bills to the accounts with the CRM id."""
    reply = yield accounts_of_customer(step, crm_id)
    problem = refusal(reply)
    if problem is not None:
        return problem
    accounts = [text(one, "accountNumber") or text(one, "id") for one in _list(reply, "data")]
    held: list[Held] = []
    for account in accounts:
        if account is None:
            continue
        found = yield from _of_account(step, account)
        if not isinstance(found, list):
            return found
        held += found
    return held


def _of_account(
    step: Step[CheckOptions], account: str
) -> Generator[Request, Reply, list[Held] | Failed | Unknown]:
    path = f"/v1/subscriptions/accounts/{quote(account, safe='')}"
    held: list[Held] = []
    for page in range(1, _MOST_PAGES + 1):
        query = {"page": str(page), "pageSize": "40"}
        reply = yield Request(
            "GET", path, query=query, headers=headers_of(step), accept=frozenset({404})
        )
        if not_found(reply):
            return held
        problem = refusal(reply)
        if problem is not None:
            return problem
        held += [_held(one) for one in _list(reply, "subscriptions") if _stands(step, one)]
        if not text(reply.body, "nextPage"):
            break
    return held


def _held(subscription: Mapping[str, Any]) -> Held:
    names: list[str | None] = []
    for plan in parts(subscription, "ratePlans"):
        if text(plan, "lastChangeType") != "Remove":
            members = ("productSku", "productName", "ratePlanName", "productRatePlanId")
            names += [text(plan, member) for member in members]
    number = text(subscription, "subscriptionNumber") or text(subscription, "subscription")
    listed = subscription.get("products")
    own = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    return Held(number or "?", text(subscription, "status") or "?", _names(*names, *own))


def _stands(step: Step[CheckOptions], subscription: Mapping[str, Any]) -> bool:
    """Whether it is in the way; what this order itself made is not."""
    number = text(subscription, "subscriptionNumber") or text(subscription, "subscription") or ""
    ours = text(step.order, "subscriptionReference")
    is_ours = ours is not None and (number == ours or number.startswith(f"{ours}-"))
    status = _plain(text(subscription, "status") or "")
    return not is_ours and status in {_plain(one) for one in step.options.statuses}


def _listed(
    step: Step[CheckOptions], crm_id: str
) -> Generator[Request, Reply, list[Held] | Failed | Unknown]:
    reply = yield Request.get(step.options.endpoint or "", {"crmId": crm_id})
    return [_held(one) for one in _list(reply, "items") if _stands(step, one)]


def _list(reply: Reply, member: str) -> list[Mapping[str, Any]]:
    """An answer that cannot be read must not pass for an empty one."""
    if not isinstance(reply[member], list):
        raise PartnerSurpriseError(f"the reply's {member!r} is no list")
    return parts(reply.body, member)


def _names(*names: str | None) -> frozenset[str]:
    return frozenset(_plain(name) for name in names if name)


def _plain(name: str) -> str:
    return name.strip().casefold()


def _flag(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


_ORDER = {
    "id": "order-1",
    "order_type": "new",
    "subscriptionReference": "SUBK3V7Q2WXA",
    "customerDetails": {"email": "ottilie.brandvold@example.org"},
    "orderItems": [
        {
            "products": [
                {
                    "name": "Digital",
                    "attributes": {
                        "product_code__limio": "HJ.DIGITAL",
                        "block_multiple__limio": True,
                    },
                }
            ]
        }
    ],
}
_HERS = "001xx000003DGb2AAG"
_ACCOUNT = Reply(200, {"data": [{"id": "8ad1", "accountNumber": "W-1", "crmId": _HERS}]})


def _step(**options: Any) -> Step[CheckOptions]:
    context = {"salesforceV3": {"crmId": _HERS}}
    parsed = CheckOptions.model_validate(options)
    return Step(id="check", order=_ORDER, options=parsed, context=context)


def _subscriptions(sku: str, status: str) -> Reply:
    plans = [{"productSku": sku, "productName": "Digital edition"}]
    one = {"subscriptionNumber": "SUBOLD", "status": status, "ratePlans": plans}
    return Reply(200, {"success": True, "subscriptions": [one]})


EXAMPLES: Sequence[Example] = (
    Example(
        name="who has nothing yet may buy",
        step=_step(),
        replies={"GET /object-query/accounts": Reply(200, {"data": []})},
        expected=Done(checked=["HJ.DIGITAL"]),
    ),
    Example(
        name="who has the product is stopped",
        step=_step(),
        replies={
            "GET /object-query/accounts": _ACCOUNT,
            "GET /v1/subscriptions/accounts/W-1": _subscriptions("HJ.DIGITAL", "Active"),
        },
        expected=Failed(ErrorKind.PERMANENT, "duplicate_subscription", ""),
    ),
    Example(
        name="what was cancelled is in nobody's way",
        step=_step(),
        replies={
            "GET /object-query/accounts": _ACCOUNT,
            "GET /v1/subscriptions/accounts/W-1": _subscriptions("HJ.DIGITAL", "Cancelled"),
        },
        expected=Done(checked=["HJ.DIGITAL"]),
    ),
)
