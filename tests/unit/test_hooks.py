"""Hooks are found by entry point, change what they may, and never more than that."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from plugins import hooks
from plugins.api import Done, Failed, NoOptions, Reply, Request, Step
from plugins.connectors.stripe import StripeOptions
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.hooks import HookPoint
from plugins.registry import BadOptionsError, Registry
from schemas.steps import ErrorKind

EXAMPLE = Path(__file__).parents[2] / "examples" / "hooks" / "acme_hooks.py"
ORDER = {"number": "1", "note": "plain"}
POINT = HookPoint(
    concerns=lambda request: request.path == "/orders", identity=lambda body: body.get("number")
)
STEP = Step(id="billing", order={"id": "order-1"}, options=NoOptions())


def noting(step, request):
    request.body["note"] = f"for {step.order['id']}"
    return request


def failing(_step, _request):
    raise KeyError("segment")


def renumbering(_step, request):
    return replace(request, body={**request.body, "number": "2"})


def rerouting(_step, request):
    return replace(request, path="/elsewhere", call="another")


HOOKS = {
    "note": noting,
    "fail": failing,
    "renumber": renumbering,
    "reroute": rerouting,
    "nothing": lambda _step, _request: None,
    "text": "not a function",
}


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """The hooks above, and one that cannot be imported."""

    def load(name):
        if name == "broken":
            raise ImportError("no module named acme")
        return HOOKS[name]

    found = [
        SimpleNamespace(name=name, value=f"acme:{name}", load=lambda name=name: load(name))
        for name in (*HOOKS, "broken")
    ]
    monkeypatch.setattr(hooks, "entry_points", lambda group: found if group == hooks.GROUP else [])
    hooks.hook.cache_clear()
    yield
    hooks.hook.cache_clear()


def talking():
    yield Request.get("/subscriptions")
    reply = yield Request.post("/orders", ORDER, call="create-order")
    return Done(id=reply["id"])


def sent(name):
    talk, asked = POINT.around(talking(), STEP, name), []
    try:
        request = next(talk)
        while True:
            asked.append(request)
            request = talk.send(Reply(200, {"id": "x"}))
    except StopIteration as end:
        return asked, end.value


def test_without_a_hook_the_conversation_is_its_own():
    assert sent(None) == (
        [Request.get("/subscriptions"), Request.post("/orders", ORDER, call="create-order")],
        Done(id="x"),
    )


def test_a_hook_changes_the_request_that_it_is_for_and_leaves_the_connectors_own():
    asked, outcome = sent("note")
    assert asked[0] == Request.get("/subscriptions")
    assert asked[1].body == {"number": "1", "note": "for order-1"}
    assert ORDER["note"] == "plain"
    assert outcome == Done(id="x")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("fail", "KeyError"),
        ("nothing", "NoneType"),
        ("renumber", "a number by which the request is known"),
        ("reroute", "path, call"),
    ],
)
def test_a_hook_that_fails_is_a_misconfigured_step_and_sends_nothing(name, says):
    asked, outcome = sent(name)
    assert [request.path for request in asked] == ["/subscriptions"]
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == (ErrorKind.MISCONFIGURED, "hook_failed")
    assert says in outcome.message
    assert repr(name) in outcome.message


@pytest.mark.parametrize(
    ("plugin", "option"),
    [("zuora", "beforeZuoraOrder"), ("stripe", "beforeStripeSubscription")],
)
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nte", "no hook is named 'nte' (installed: broken, fail"),
        ("broken", "no module named acme"),
        ("text", "acme:text is no function"),
    ],
)
def test_a_configuration_with_an_unknown_hook_is_refused(plugin, option, name, says):
    with pytest.raises(BadOptionsError) as refused:
        Registry.found().validate_options(plugin, {option: name})
    assert says in str(refused.value)
    assert f"$.options.{option}" in str(refused.value)


def test_a_known_hook_is_taken():
    assert ZuoraOptions.model_validate({"beforeZuoraOrder": "note"}).before_zuora_order == "note"
    options = StripeOptions.model_validate({"beforeStripeSubscription": "note"})
    assert options.before_stripe_subscription == "note"


def example():
    spec = importlib.util.spec_from_file_location("acme_hooks", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_hooks_of_the_how_to_do_what_it_says():
    acme, here = example(), replace(STEP, order={"tracking": {"campaign": "/spring"}})
    order = Request.post("/v1/orders", {"customFields": {"A__c": "1"}}, call="create-order")
    zuora = acme.campaign_in_zuora(here, order)
    assert zuora.body == {"customFields": {"A__c": "1", "Campaign__c": "/spring"}}
    form = Request.post("/v1/subscriptions", {"customer": "c"}, call="c", form=True)
    assert acme.campaign_in_stripe(here, form).body["metadata[campaign]"] == "/spring"
    assert acme.campaign_in_zuora(STEP, order) is order
    assert acme.campaign_in_stripe(STEP, form) is form


def asked_with(connector, example, option):
    """What a connector sends for one of its examples with the hook `note` switched on."""
    options = example.step.options.model_copy(update={option: "note"})
    talk, asked = connector.perform(replace(example.step, options=options)), []
    try:
        request = next(talk)
        while True:
            asked.append(request)
            reply = example.replies[request.call or f"{request.method} {request.path}"]
            request = talk.send(reply if isinstance(reply, Reply) else reply[0])
    except StopIteration:
        return [request for request in asked if "note" in (request.body or {})]


@pytest.mark.parametrize(
    ("plugin", "option", "path"),
    [
        ("zuora", "before_zuora_order", "/v1/orders"),
        ("stripe", "before_stripe_subscription", "/v1/subscriptions"),
    ],
)
def test_the_connectors_have_their_hooks_called_for_what_is_billed(plugin, option, path):
    registry = Registry.found()
    example = next(
        one
        for one in registry.examples(plugin)
        if one.step.order["order_type"] == "new" and isinstance(one.expected, Done)
    )
    changed = asked_with(registry.get(plugin), example, option)
    assert [request.path for request in changed] == [path]
    assert changed[0].body["note"] == "for order-1"
