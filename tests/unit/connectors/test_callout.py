import pytest
from pydantic import ValidationError

from plugins.api import Done, Failed, Reply, Step, Unknown
from plugins.connectors.callout_plugin import (
    CalloutOptions,
    callout_plugin,
    endpoint,
    errors,
)
from schemas.steps import ErrorKind

URL = "https://provisioning.example.org/users"


def options(**given):
    return CalloutOptions.model_validate({"endpoint": URL, **given})


def step(order, mapped=None, **given):
    crm = {"salesforceV3": {"crmId": "001A"}}
    return Step(
        id="provisioning", order=order, options=options(**given), context=crm, mapped=mapped or {}
    )


def passes(status, **given):
    """Whether a reply with this status counts as success."""
    talk = callout_plugin.perform(step({"id": "order-1"}, **given))
    asked = next(talk)
    if status >= 400 and status not in asked.accept:
        return False
    with pytest.raises(StopIteration) as end:
        talk.send(Reply(status, None))
    return isinstance(end.value.value, Done)


def test_the_whole_order_goes_out_with_the_context_of_earlier_steps(talk, order):
    [asked], _ = talk(callout_plugin.perform(step(order())), Reply(200, {}))
    assert (asked.method, asked.path, asked.order_body) == ("POST", URL, True)
    assert asked.body == {
        "context": {
            "orderId": "order-1",
            "tenant": "default",
            "stepId": "provisioning",
            "salesforceV3": {"crmId": "001A"},
        }
    }


def test_what_the_entry_maps_is_a_member_of_the_body(talk, order):
    mapped = step(order(), mapped={"userId": "u-1"})
    [asked], _ = talk(callout_plugin.perform(mapped), Reply(200, {}))
    assert asked.body["userId"] == "u-1"


def test_a_changing_request_names_its_call_whatever_its_method(talk, order):
    [asked], _ = talk(callout_plugin.perform(step(order(), method="PUT")), Reply(200, {}))
    assert (asked.method, asked.call) == ("PUT", "callout")


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_by_default_every_error_fails_the_step(status):
    assert not passes(status)


@pytest.mark.parametrize(("status", "ok"), [(400, False), (404, False), (500, True), (503, True)])
def test_a_given_list_is_exactly_what_fails_the_step(status, ok):
    assert passes(status, shouldRejectOn={"status": [400, 404]}) is ok


def test_an_empty_list_lets_everything_pass():
    assert passes(500, shouldRejectOn={"status": []})


def test_limios_default_rejects_nothing():
    assert passes(500, limioCompatible=True)
    assert not passes(500, limioCompatible=True, shouldRejectOn={"status": [500]})


@pytest.mark.parametrize("status", [204, 404, 500])
def test_a_listed_status_is_a_definite_refusal_in_limios_words(talk, order, status):
    listed = step(order(), shouldRejectOn={"status": [status]})
    _, outcome = talk(callout_plugin.perform(listed), Reply(status, None))
    message = f"callout plugin failed due to response status: [{status}]"
    assert outcome == Failed(ErrorKind.PERMANENT, "callout_rejected", message)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ErrorKind.PERMANENT),
        (401, ErrorKind.MISCONFIGURED),
        (429, ErrorKind.RATE_LIMITED),
    ],
)
def test_a_refusal_is_definite(status, kind):
    found = errors(Reply(status, None))
    assert isinstance(found, Failed)
    assert found.kind is kind


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504])
def test_where_the_endpoint_broke_off_the_outcome_is_unknown(status):
    assert isinstance(errors(Reply(status, None)), Unknown)


def test_an_endpoint_that_asks_to_come_back_later_did_nothing():
    found = errors(Reply(503, None, {"retry-after": "3"}))
    assert isinstance(found, Failed)
    assert found.kind is ErrorKind.TRANSIENT


def test_the_reply_is_handed_on_by_what_the_mapping_picks(talk, order):
    mapped = step(order(), response={"userId": "user.id", "first": "roles[0]"})
    body = {"user": {"id": "u-1"}, "roles": ["reader"]}
    _, outcome = talk(callout_plugin.perform(mapped), Reply(200, body))
    assert outcome == Done(userId="u-1", first="reader")


def test_without_a_mapping_scalars_and_a_small_body_are_handed_on(talk, order):
    body = {"userId": "u-1", "roles": ["reader"]}
    _, outcome = talk(callout_plugin.perform(step(order())), Reply(200, body))
    assert outcome == Done(body=body, userId="u-1")


def test_a_large_body_is_not_kept(talk, order):
    body = {"userId": "u-1", "log": ["x" * 5000]}
    _, outcome = talk(callout_plugin.perform(step(order())), Reply(200, body))
    assert outcome == Done(userId="u-1")


def test_a_reply_that_the_mapping_cannot_read_is_not_taken_for_done(talk, order):
    mapped = step(order(), response={"many": "length(users)"})
    _, outcome = talk(callout_plugin.perform(mapped), Reply(200, {}))
    assert isinstance(outcome, Unknown)


def test_limios_time_out_is_two_seconds():
    manifest = callout_plugin.manifest
    assert manifest.deadline_s(options()) == 2.0
    assert manifest.deadline_s(options(timeoutValue=5000)) == 5.0
    assert manifest.timeout_message == "This operation was aborted"


def test_the_endpoint_names_its_host_unless_it_is_a_path():
    assert endpoint(options()) == URL
    assert endpoint(options(endpoint="/users")) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "ftp://example.org"},
        {"endpoint": "provision"},
        {"timeoutValue": 0},
        {"method": "GET"},
        {"headers": {"Authorization": "Basic x"}},
        {"headers": {"idempotency-key": "x"}},
        {"response": {"userId": "user..id"}},
        {"retries": 3},
    ],
)
def test_options_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValidationError):
        options(**wrong)
