"""A short campaign: partners misbehave, processes are killed, orders share lanes, people act."""

import pytest

from benchmarks import soak


@pytest.fixture
def campaign(tmp_path_factory: pytest.TempPathFactory) -> soak.Campaign:
    """At this pace an order moves for about a second, so that a kill finds some."""
    return soak.Campaign(
        seconds=20,
        seed=8,
        rate=8,
        faults=0.15,
        latency_ms=150,
        every=(1.5, 3.0),
        longest_s=2.0,
        settle_s=180,
        folder=tmp_path_factory.mktemp("soak"),
    )


def test_every_promise_holds_whatever_misbehaves(campaign: soak.Campaign) -> None:
    report = soak.main(campaign)
    assert report.kills >= 3, "the campaign was too kind"
    assert sum(report.faults.values()) >= 10, "the partners were too kind"
    assert report.facts.get("OrderQueued", 0) >= 3, "no lane was shared"
    assert report.orders_acknowledged >= 100
    assert report.broken == {}
