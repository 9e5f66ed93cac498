"""Acme: opens the buyer's account before billing, and hands its number on."""

from collections.abc import Sequence

from plugins.api import (
    Conversation,
    Done,
    Example,
    Idempotency,
    Manifest,
    Options,
    Reply,
    Request,
    Step,
    connector,
)


class AcmeOptions(Options):
    """What a tenant may set in the plugin entry."""

    plan: str = "standard"


MANIFEST = Manifest(
    name="acme",
    service="provisioning",
    summary="Opens the buyer's account at Acme; hands on its number.",
    idempotency=Idempotency.NATIVE,
    options=AcmeOptions,
    connection="acme",
    key_valid_for_s=24 * 3600,
    docs="Output: `account` (Acme's number of the account).",
)


@connector(MANIFEST)
def acme(step: Step[AcmeOptions]) -> Conversation:
    """One call: the account under the order's id."""
    buyer = step.order["customerDetails"]
    account = {"email": buyer["email"], "plan": step.options.plan, "reference": step.order["id"]}
    reply = yield Request.post("/accounts", account, call="open-account")
    return Done(account=reply["number"])


@acme.reconcile
def acme_look_up(step: Step[AcmeOptions]) -> Conversation:
    """After an unknown outcome: did the account come into being?"""
    found = yield Request.get("/accounts", {"reference": step.order["id"]}, accept={404})
    return Done(account=found["number"]) if found.ok else step.not_done()


_STEP = Step(
    id="acme",
    order={"id": "order-1", "customerDetails": {"email": "ottilie.brandvold@example.org"}},
    options=AcmeOptions(plan="premium"),
)
_OPENED = Reply(201, {"number": "A-1"})

EXAMPLES: Sequence[Example] = (
    Example(
        name="the account's number goes on",
        step=_STEP,
        replies={"open-account": _OPENED},
        expected=Done(account="A-1"),
        found={"GET /accounts": Reply(200, {"number": "A-1"})},
        missing={"GET /accounts": Reply(404, {"error": "no such account"})},
    ),
)
