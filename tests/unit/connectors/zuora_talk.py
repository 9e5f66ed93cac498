"""What the tests of Zuora's connector have in common."""

from plugins.api import Failed, Reply, Step
from plugins.connectors.zuora import zuora
from plugins.connectors.zuora.options import ZuoraOptions

PLAN, FEE = "8ad09be48db5aba7018db604776d4854", "8ad09be48db5aba7018db60477724859"
METHOD = "8ad0a2b69c3d1e4f019c4b7722aa5510"
NAME = "UK-UK Bundle Quarterly"
TWO = {
    "UK-UK A Monthly": {"id": "1" * 32, "charges": {"Charge 1": "3" * 32}},
    "Tide Tables Yearly": {"id": "2" * 32, "charges": {"Charge 1": "4" * 32}},
}
ORDERED = Reply(
    200,
    {
        "success": True,
        "orderNumber": "7Q2KX5M9ADLP",
        "accountNumber": "W-7Q2KX5M9ADLP",
        "status": "Completed",
        "subscriptions": [{"subscriptionNumber": "SUBK3V7Q2WXA"}],
        "invoiceNumbers": ["INV1"],
    },
)
ORDER_DONE = {
    "accountNumber": "W-7Q2KX5M9ADLP",
    "orderNumber": "7Q2KX5M9ADLP",
    "status": "Completed",
    "subscriptionNumber": "SUBK3V7Q2WXA",
    "subscriptionNumbers": ["SUBK3V7Q2WXA"],
    "effectiveDate": "2026-12-01",
    "invoiceNumbers": ["INV1"],
}
OK = Reply(200, {"success": True})
ABSENT = Reply(
    200, {"success": False, "reasons": [{"code": 50000040, "message": "Cannot find entity."}]}
)
"""How Zuora says that there is no such thing."""


def said(**body):
    return Reply(200, {"success": True, **body})


def says_no(code, message="m", status=200):
    return Reply(status, {"success": False, "reasons": [{"code": code, "message": message}]})


def step(order, mapped=None, context=None, **given):
    given.setdefault("ratePlans", {NAME: {"id": PLAN, "charges": {"Charge 1": FEE}}})
    options = ZuoraOptions.model_validate(given)
    return Step(
        id="zuora", order=order, options=options, context=context or {}, mapped=mapped or {}
    )


def charge(name="Fee", kind="Recurring", model="Flat Fee Pricing", key=FEE):
    return {"id": key, "name": name, "chargeType": kind, "chargeModel": model}


def plans(*charges, name=NAME, **more):
    return {"id": PLAN, "name": name, "productRatePlanCharges": list(charges), **more}


def paths(asked):
    return [f"{request.method} {request.path}" for request in asked]


def found(*data):
    return Reply(200, {"data": list(data)})


def created(order_body, position=0):
    [action] = order_body["subscriptions"][position]["orderActions"]
    return action["createSubscription"]


def attributes(order, position=0):
    return order["orderItems"][position]["offer"]["data"]["attributes"]


def seats_of(order, quantity=5):
    seats = order("orders/invoice-evergreen")
    seats["orderItems"][0]["quantity"] = quantity
    return seats


def refused(talk, at, *replies):
    asked, outcome = talk(zuora.perform(at), *replies)
    assert all(request.method == "GET" for request in asked), "nothing may be ordered"
    assert isinstance(outcome, Failed)
    return outcome
