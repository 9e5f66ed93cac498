"""Acme keeps the contract of connectors; replies are sent into its conversation by hand."""

# ruff: noqa: D103 - a test says in its name what it is about

import pytest
from acme import AcmeOptions, acme

from plugins.api import Done, Example, Reply, Step
from plugins.testing import RULES, Rule, look_ups_are_shown

ORDER = {"id": "order-1", "customerDetails": {"email": "ottilie.brandvold@example.org"}}
STEP = Step(id="acme", order=ORDER, options=AcmeOptions(plan="premium"))
EXAMPLES = (
    Example(
        name="the account's number goes on",
        step=STEP,
        replies={"open-account": Reply(201, {"number": "A-1"})},
        expected=Done(account="A-1"),
        found={"GET /accounts": Reply(200, {"number": "A-1"})},
        missing={"GET /accounts": Reply(404, {"error": "no such account"})},
    ),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
async def test_it_keeps_the_contract(example: Example, rule: Rule) -> None:
    await rule(acme, example)


def test_it_shows_both_answers_to_its_look_up() -> None:
    look_ups_are_shown(acme, EXAMPLES)


def test_the_account_is_opened_with_the_plan_of_the_options() -> None:
    talk = acme.perform(STEP)
    asked = next(talk)
    assert asked.call == "open-account"
    assert asked.body == {
        "email": "ottilie.brandvold@example.org",
        "plan": "premium",
        "reference": "order-1",
    }
    with pytest.raises(StopIteration) as end:
        talk.send(Reply(201, {"number": "A-7"}))
    assert end.value.value.output == {"account": "A-7"}
