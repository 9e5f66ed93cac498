from plugins.api import Done, NoOptions, Reply, Step
from plugins.connectors.entitlements import entitlements

GRANTED = Reply(201, {"success": True, "id": "grant-1"})


def step(order):
    return Step(id="entitlements", order=order, options=NoOptions())


def test_the_products_entitlements_are_granted_to_the_subscription_in_one_call(talk, order):
    [asked], outcome = talk(entitlements.perform(step(order())), GRANTED)
    assert (asked.method, asked.path, asked.call) == ("POST", "/grants", "grant")
    assert asked.body == {
        "order": "order-1",
        "owner": "id-41",
        "subscription": "SUBK3V7Q2WXA",
        "entitlements": [{"$ref": "/entitlements/Digital"}, {"$ref": "/entitlements/Archive"}],
    }
    granted = ["/entitlements/Digital", "/entitlements/Archive"]
    assert outcome == Done(granted=granted, grantId="grant-1")


def test_what_two_products_entitle_to_is_granted_once(talk, order):
    item = {"products": [{"entitlements": ["/entitlements/Digital"]}]}
    attribute = {"attributes": {"entitlements__limio": [{"$ref": "/entitlements/Digital"}]}}
    twice = order(changes={"orderItems": [item, {"products": [attribute]}]})
    _, outcome = talk(entitlements.perform(step(twice)), GRANTED)
    assert outcome == Done(granted=["/entitlements/Digital"], grantId="grant-1")


def test_nothing_to_grant_asks_for_nothing(talk, order):
    plain = order(changes={"orderItems": [{"products": [{"name": "Print"}]}]})
    assert talk(entitlements.perform(step(plain))) == ([], Done(granted=[]))
