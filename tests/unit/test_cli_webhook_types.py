"""What there is to subscribe to can be read without a running Waybill."""

import json

from click.testing import CliRunner, Result
from jsonschema_rs import Draft202012Validator

from streams.core.webhooks.catalogue import TYPES
from waybill.cli.main import cli
from waybill.cli.output import ReportedError


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["webhook", "types", *arguments])


def test_all_types_are_listed() -> None:
    shown = typed().output
    assert all(f"{name} " in shown for name in TYPES)
    items = json.loads(typed("--json").output)["items"]
    assert [one["name"] for one in items] == list(TYPES)


def test_a_type_shows_an_example_that_fits_its_schema() -> None:
    for payload in ("--thin", "--full"):
        example = json.loads(typed("order.failed", payload).output)
        schema = json.loads(typed("order.failed", payload, "--schema").output)
        Draft202012Validator(schema).validate(example)
        assert ("context" in example["data"]) is (payload == "--full")


def test_a_type_that_is_none_is_answered_with_the_nearest() -> None:
    refused = typed("order.fail").exception
    assert isinstance(refused, ReportedError)
    assert "'order.failed'" in refused.problem["remedy"]
