"""Acme keeps the contract of connectors; replies are sent into its conversation by hand."""

# ruff: noqa: D103 - a test says in its name what it is about

import pytest
from acme import EXAMPLES, AcmeOptions, acme

from plugins.api import Example, Reply, Step
from plugins.testing import RULES, Rule, look_ups_are_shown


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
async def test_it_keeps_the_contract(example: Example, rule: Rule) -> None:
    await rule(acme, example)


def test_it_shows_both_answers_to_its_look_up() -> None:
    look_ups_are_shown(acme, EXAMPLES)


def test_the_account_is_opened_with_the_plan_of_the_options() -> None:
    order = {"id": "order-7", "customerDetails": {"email": "ada@example.org"}}
    talk = acme.perform(Step(id="acme", order=order, options=AcmeOptions(plan="basic")))
    asked = next(talk)
    assert asked.call == "open-account"
    assert asked.body == {"email": "ada@example.org", "plan": "basic", "reference": "order-7"}
    with pytest.raises(StopIteration) as end:
        talk.send(Reply(201, {"number": "A-7"}))
    assert end.value.value.output == {"account": "A-7"}
