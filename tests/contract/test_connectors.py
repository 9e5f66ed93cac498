"""Every connector that is found keeps the contract, with each of its examples."""

import pytest

from plugins.registry import Registry
from plugins.testing import RULES, compensations_are_shown, look_ups_are_shown

REGISTRY = Registry.found()
CASES = [
    pytest.param(name, example, id=f"{name}-{example.name}")
    for name in REGISTRY.names()
    for example in REGISTRY.examples(name)
]


@pytest.mark.parametrize("name", REGISTRY.names())
def test_every_connector_brings_examples(name):
    assert REGISTRY.examples(name)
    look_ups_are_shown(REGISTRY.get(name), REGISTRY.examples(name))
    compensations_are_shown(REGISTRY.get(name), REGISTRY.examples(name))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize(("name", "example"), CASES)
async def test_the_contract_holds(name, example, rule):
    await rule(REGISTRY.get(name), example)
