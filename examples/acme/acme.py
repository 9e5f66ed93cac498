"""Acme: opens the buyer's account before billing, and hands its number on."""

from plugins.api import Conversation, Done, Idempotency, Options, Request, Step, connector


class AcmeOptions(Options):
    """What a tenant may set in the plugin entry."""

    plan: str = "standard"


@connector(name="acme", service="provisioning", options=AcmeOptions, idempotency=Idempotency.NATIVE)
def acme(step: Step[AcmeOptions]) -> Conversation:
    """Opens the buyer's account at Acme; hands on its number."""
    buyer = step.order["customerDetails"]
    account = {"email": buyer["email"], "plan": step.options.plan, "reference": step.order["id"]}
    reply = yield Request.post("/accounts", account, call="open-account")
    return Done(account=reply["number"])


@acme.reconcile
def acme_look_up(step: Step[AcmeOptions]) -> Conversation:
    """After an unknown outcome: did the account come into being?"""
    found = yield Request.get("/accounts", {"reference": step.order["id"]}, accept={404})
    return Done(account=found["number"]) if found.ok else step.not_done()
