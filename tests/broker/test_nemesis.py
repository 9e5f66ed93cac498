"""Processes are killed, stopped and ended under load, on a real Kafka; an auditor reads the log."""

from pathlib import Path

from benchmarks import nemesis

ORDERS = 700
SECONDS = 14.0
LATENCY_MS = 400
"""An order moves for longer than it takes to the next commit: else a kill would find nothing."""
SEED = 190
"""With this one at least two workers are killed under load."""


def test_no_order_is_lost_stuck_or_out_of_order_whatever_is_killed(tmp_path: Path) -> None:
    report = nemesis.main(ORDERS, SECONDS, SEED, tmp_path, LATENCY_MS)
    assert report.disturbances["KILL worker"] >= 2, "the campaign was too kind"
    assert (report.accepted, report.completed) == (ORDERS, ORDERS)
    assert (report.lost, report.stuck, report.out_of_order) == (0, 0, 0)
    assert report.several_effects == 0
    assert report.keys == nemesis.KEYED_CALLS * ORDERS, "a repeated call had another key"
