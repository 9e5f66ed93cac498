"""What holds for the waybill of every order under every configuration."""

from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.configuration import Configuration, Override, PluginEntry
from schemas.steps import OnUnknown, Phase, WaybillStep
from streams.core.sequence import PluginFacts, Sequencer

NAMES = ("a", "b", "c")
OFFERS = ("standard", "trial", "gift")
PROCESSING = ("standard", "express")
ORDER_TYPES = ("new", "renew")
PLUGINS = {
    name: PluginFacts(name=name, service="s", on_unknown=OnUnknown.REPEAT, connection=None)
    for name in NAMES
}


def subsets(values: tuple[str, ...]) -> st.SearchStrategy[list[str] | None]:
    return st.none() | st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)


ENTRIES = st.lists(
    st.builds(
        PluginEntry,
        name=st.sampled_from(NAMES),
        id=st.sampled_from((None, None, "x", "y")),
        critical=st.booleans(),
    ),
    max_size=4,
)
OVERRIDES = st.lists(
    st.builds(
        Override,
        order_type=subsets(ORDER_TYPES),
        processing_type=subsets(PROCESSING),
        offer_type=subsets(OFFERS),
        sequence=st.none() | ENTRIES,
        post=st.none() | ENTRIES,
        exclude=subsets((*NAMES, "x")),
    ),
    max_size=4,
)
CONFIGURATIONS = st.builds(
    Configuration,
    version=st.just(1),
    order_types=st.just([]),
    sequence=ENTRIES,
    post=ENTRIES,
    overrides=OVERRIDES,
)
AXES = st.tuples(st.sampled_from(ORDER_TYPES), st.sampled_from(PROCESSING))


def order(processing: str, offers: Iterable[str]) -> dict[str, Any]:
    items = [{"offer": {"data": {"attributes": {"offer_type__limio": o}}}} for o in offers]
    return {"processing_type": processing, "orderItems": items}


def resolved(
    configuration: Configuration, axes: tuple[str, str], offers: Iterable[str]
) -> tuple[WaybillStep, ...]:
    order_type, processing = axes
    document = order(processing, offers)
    return Sequencer(configuration, PLUGINS).resolve(document, order_type).waybill


def chosen(configuration: Configuration, phase: str, place: tuple[str, str, str]) -> list[Any]:
    """The rule again, as it reads in words: the strongest override by axes named."""
    best, strength = getattr(configuration, phase), (-1, "")
    for override in configuration.overrides:
        values = override.order_type, override.processing_type, override.offer_type
        fits = all(v is None or one in v for v, one in zip(values, place, strict=True))
        named = "".join("0" if v is None else "1" for v in values)
        if fits and getattr(override, phase) is not None and (named.count("1"), named) > strength:
            best, strength = getattr(override, phase), (named.count("1"), named)
    return list(best)


@given(CONFIGURATIONS, AXES, st.sampled_from(OFFERS))
def test_the_strongest_override_wins_and_every_exclude_holds(
    configuration: Configuration, axes: tuple[str, str], offer: str
) -> None:
    place = (*axes, offer)
    out = {
        name
        for o in configuration.overrides
        if all(
            values is None or value in values
            for values, value in zip(
                (o.order_type, o.processing_type, o.offer_type), place, strict=True
            )
        )
        for name in o.exclude or ()
    }
    expected = [
        (phase, entry.name)
        for phase, member in ((Phase.MAIN, "sequence"), (Phase.POST, "post"))
        for entry in chosen(configuration, member, place)
    ]
    found = resolved(configuration, axes, [offer])
    left = [(step.phase, step.plugin) for step in found]
    assert [pair for pair in left if pair in expected] == left
    assert not out & ({step.plugin for step in found} | {step.id for step in found})
    if not out:
        assert left == expected


@given(CONFIGURATIONS, AXES, st.lists(st.sampled_from(OFFERS), max_size=4))
def test_ids_are_unique_and_the_post_phase_comes_last(
    configuration: Configuration, axes: tuple[str, str], offers: list[str]
) -> None:
    steps = resolved(configuration, axes, offers)
    assert len({step.id for step in steps}) == len(steps)
    phases = [step.phase for step in steps]
    assert phases == sorted(phases)


@settings(max_examples=200)
@given(CONFIGURATIONS, AXES, st.lists(st.sampled_from(OFFERS), min_size=1, max_size=4))
def test_each_item_passes_what_it_would_pass_alone(
    configuration: Configuration, axes: tuple[str, str], offers: list[str]
) -> None:
    together = resolved(configuration, axes, offers)
    for index, offer in enumerate(offers):
        alone = [(s.phase, s.plugin, s.critical) for s in resolved(configuration, axes, [offer])]
        mine = [
            (s.phase, s.plugin, s.critical) for s in together if s.items is None or index in s.items
        ]
        assert sorted(mine) == sorted(alone)


@given(CONFIGURATIONS, AXES, st.lists(st.sampled_from(OFFERS), min_size=1, max_size=4))
def test_no_step_is_there_for_nobody(
    configuration: Configuration, axes: tuple[str, str], offers: list[str]
) -> None:
    assert all(step.items != () for step in resolved(configuration, axes, offers))


@given(CONFIGURATIONS, AXES, st.lists(st.sampled_from(OFFERS), min_size=1, max_size=4))
def test_excludes_alone_never_change_the_order_of_steps(
    configuration: Configuration, axes: tuple[str, str], offers: list[str]
) -> None:
    kept = [o.model_copy(update={"sequence": None, "post": None}) for o in configuration.overrides]
    configuration = configuration.model_copy(update={"overrides": kept})
    steps = resolved(configuration, axes, offers)
    default = [*configuration.sequence, *configuration.post]
    names = iter([entry.name for entry in default])
    assert all(step.plugin in names for step in steps)


@given(CONFIGURATIONS, AXES, st.lists(st.sampled_from(OFFERS), min_size=1, max_size=4))
def test_a_repeated_question_has_the_same_answer(
    configuration: Configuration, axes: tuple[str, str], offers: list[str]
) -> None:
    sequencer = Sequencer(configuration, PLUGINS)
    document = order(axes[1], offers)
    first = sequencer.resolve(document, axes[0])
    assert sequencer.resolve(document, axes[0]) == first
    assert Sequencer(configuration, PLUGINS).resolve(document, axes[0]) == first
