"""Which sequence each combination gets and why; it is what orders really get."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.configuration import Configuration
from schemas.steps import OnUnknown, Phase
from streams.core.matrix import OTHER, axis_values, cell, combinations, matrix
from streams.core.sequence import PluginFacts, Sequencer

NAMES = ("salesforceV3", "zuora", "stripe", "entitlements")
PLUGINS = {
    name: PluginFacts(name=name, service="s", on_unknown=OnUnknown.REPEAT, connection=name)
    for name in NAMES
}


def configured(*overrides: dict[str, Any], **more: Any) -> Configuration:
    plain = {
        "version": 1,
        "sequence": [{"name": "salesforceV3"}, {"name": "zuora", "critical": False}],
        "post": [{"name": "entitlements"}],
        "overrides": overrides,
        **more,
    }
    return Configuration.model_validate(plain)


def test_the_default_says_so() -> None:
    found = cell(configured(), "new", "standard", "standard")
    assert [one.id for one in found.steps] == ["salesforceV3", "zuora", "entitlements"]
    assert [one.phase for one in found.steps] == [Phase.MAIN, Phase.MAIN, Phase.POST]
    assert [one.critical for one in found.steps] == [True, False, True]
    assert (found.sequence_by, found.post_by, found.beaten) == (None, None, ())
    assert found.why == "sequence and post: the default"


def test_who_won_who_excluded_and_who_was_beaten_is_told() -> None:
    configuration = configured(
        {"order_type": "renew", "sequence": [{"name": "zuora"}]},
        {"offer_type": "gift", "exclude": ["entitlements", "stripe"]},
        {
            "order_type": "renew",
            "offer_type": ["gift", "trial"],
            "sequence": [{"name": "stripe"}, {"name": "zuora"}],
        },
    )
    found = cell(configuration, "renew", "standard", "gift")
    assert [one.id for one in found.steps] == ["zuora"]
    assert (found.sequence_by, found.post_by, found.beaten) == (2, None, (0,))
    assert [(one.override, one.step) for one in found.excluded] == [
        (1, "stripe"),
        (1, "entitlements"),
    ]
    assert found.why == (
        "sequence: won by override 2 (order_type, offer_type); post: the default;"
        " override 1 excludes stripe, entitlements; override 0 less specific"
    )


def test_the_axes_have_what_makes_a_difference() -> None:
    values = axis_values(
        configured(
            {"offer_type": ["gift", "standard"], "exclude": "zuora"},
            {"order_type": ["submitted", "upgrade"], "exclude": "zuora"},
            order_types=["upgrade"],
        )
    )
    assert values["processing_type"] == ("standard",)
    assert values["offer_type"] == ("standard", "gift", OTHER)
    assert "submitted" not in values["order_type"]
    assert values["order_type"][-1] == "upgrade"
    assert combinations(values) == len(values["order_type"]) * 3


AXIS = st.lists(st.sampled_from(["a", "b", "standard"]), min_size=1, max_size=2, unique=True)
ENTRIES = st.lists(st.builds(lambda n: {"name": n}, st.sampled_from(NAMES)), max_size=3)
OVERRIDE = st.fixed_dictionaries(
    {},
    optional={
        "order_type": st.sampled_from(["new", "renew", "submitted"]),
        "processing_type": AXIS,
        "offer_type": AXIS,
        "sequence": ENTRIES,
        "post": ENTRIES,
        "exclude": st.sampled_from([*NAMES, "zuora-2"]),
    },
)


@given(st.lists(OVERRIDE, max_size=4))
def test_every_cell_is_what_an_order_of_its_kind_gets(overrides: list[dict[str, Any]]) -> None:
    configuration = configured(*overrides)
    sequencer = Sequencer(configuration, PLUGINS)
    values = {**axis_values(configuration), "order_type": ("new", "renew", "credit")}
    for found in matrix(configuration, values):
        offer = {"data": {"attributes": {"offer_type__limio": found.offer_type}}}
        order = {"processing_type": found.processing_type, "orderItems": [{"offer": offer}]}
        real = sequencer.resolve(order, found.order_type)
        assert [(s.id, s.plugin, s.phase) for s in real.waybill] == [
            (s.id, s.plugin, s.phase) for s in found.steps
        ]
