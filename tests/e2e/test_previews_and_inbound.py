"""Previews, Zuora's notifications and Limio's objects of a running Waybill."""

import json
from typing import Any

import httpx

from tests.e2e.stack import Stack, an_order


def journal(stack: Stack) -> list[dict[str, Any]]:
    return list(httpx.get(f"{stack.sandbox}/_journal").json()["items"])


def bought(stack: Stack) -> dict[str, Any]:
    answer = stack.submit(an_order(process_immediately=True))
    assert stack.ended(answer["id"])["status"] == "complete"
    return answer


def cancelling(subscription: str) -> dict[str, Any]:
    return {
        "order_type": "cancel_subscription",
        "forSubscription": subscription,
        "customerDetails": {"lastName": "Quillfeather"},
    }


def test_a_new_order_is_previewed_and_leaves_no_trace(stack: Stack) -> None:
    before, orders = len(journal(stack)), len(stack.orders())
    answer = httpx.post(f"{stack.url}/api/order/preview", json=an_order(), timeout=40)
    assert answer.status_code == 200, answer.text
    preview = answer.json()
    assert [one["amount"] for one in preview["futureCharges"]] == ["55.00"]
    assert {one["step"] for one in preview["futureCharges"]} == {"zuora"}
    assert (preview["currency"], preview["credits"], preview["warnings"]) == ("GBP", [], [])
    assert [step["previewed"] for step in preview["steps"]] == [False, True, False, False]
    assert [entry for entry in journal(stack)[before:] if entry["effect"]] == []
    assert len(stack.orders()) == orders


def test_a_change_is_previewed_by_the_command_line_too(stack: Stack) -> None:
    answer = bought(stack)
    file = stack.folder / "cancel.json"
    file.write_text(json.dumps(cancelling(answer["subscriptionReference"])))
    before = len(journal(stack))
    done = stack.cli("preview", str(file))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("cancel_subscription, effective 20")
    assert [entry for entry in journal(stack)[before:] if entry["effect"]] == []


def test_a_change_of_what_nobody_bought_is_refused_before_it_is_one(stack: Stack) -> None:
    order = cancelling("SUBNEVERSOLD")
    answer = httpx.post(f"{stack.url}/api/order/preview", json=order, timeout=40)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "preview_refused")
    assert (problem["step"], problem["error"]["code"]) == ("zuora", "subscription_unknown")


def test_a_type_that_nobody_previews_is_told_apart_from_one_that_would_fail(stack: Stack) -> None:
    order = {"order_type": "change_payment", "forSubscription": "S", "payment": {"type": "invoice"}}
    answer = httpx.post(f"{stack.url}/api/order/preview", json=order, timeout=40)
    assert (answer.status_code, answer.json()["code"]) == (422, "no_preview")


def test_what_zuora_tells_is_an_order_that_hands_the_subscription_on(stack: Stack) -> None:
    subscription = bought(stack)["subscriptionReference"]
    told = {"subscriptionID": subscription, "type": "RenewSubscription", "data": {"n": 1}}
    answers = [httpx.post(f"{stack.url}/api/events/zuora", json=told) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    order = stack.ended(answers[0].json()["id"])
    assert (order["status"], order["order_type"]) == ("complete", "external")
    timeline = httpx.get(f"{stack.url}/api/orders/{order['id']}/timeline").json()["items"]
    [output] = [
        entry["data"]["output"]
        for entry in timeline
        if entry["type"] == "StepSucceeded" and entry["data"]["step"] == "zuora"
    ]
    assert (output["subscriptionNumber"], output["status"]) == (subscription, "Active")


def test_a_subscription_is_synchronised_while_one_waits(stack: Stack) -> None:
    subscription = bought(stack)["subscriptionReference"]
    url = f"{stack.url}/api/plugins/zuora/sync/subscription"
    answer = httpx.post(f"{url}/{subscription}", timeout=40)
    synchronised = answer.json()
    assert (answer.status_code, synchronised["success"]) == (200, True)
    assert synchronised["id"] == subscription
    assert stack.order(synchronised["order"])["order_type"] == "external"
    unknown = httpx.post(f"{url}/SUBNEVERSOLD", timeout=40).json()
    assert (unknown["success"], unknown["error"]["code"]) == (False, "subscription_unknown")


def test_objects_lead_from_the_order_to_its_callouts(stack: Stack) -> None:
    order = bought(stack)["id"]
    objects = f"{stack.url}/api/objects/limio"
    related = httpx.get(f"{objects}/orders/{order}/related").json()["items"]
    assert [one["record_type"] for one in related] == ["event", "process_event"]
    process = httpx.get(f"{objects}/process/{related[1]['id']}").json()
    plugins = {callout["plugin"] for callout in process["data"]["callouts"]}
    assert {"salesforceV3", "zuora"} <= plugins
    listed = httpx.get(f"{objects}/events", params={"limit": 1}).json()
    assert (len(listed["items"]), bool(listed["queryMore"])) == (1, True)
