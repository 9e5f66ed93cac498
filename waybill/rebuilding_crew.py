"""Fills a set of views by several processes, each of which takes one partition after the other."""

import gc
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context

from projections.filling import Filling
from projections.store import Store
from projections.viewset import view_set
from streams.kafka.history import History
from streams.topics import Topics
from waybill.running import GC_THRESHOLDS
from waybill.settings import Settings

LOOK_EVERY_S = 1.0


class Processes:
    """So many at a time; rows of different partitions never meet."""

    def __init__(self, settings: Settings, jobs: int) -> None:
        self._settings = settings
        self._jobs = jobs

    def fill(
        self, set_id: int, ends: Mapping[int, int], look: Callable[[], None]
    ) -> Mapping[int, tuple[int, int]]:
        """The longest partitions first. What one of them raises ends all."""
        with ProcessPoolExecutor(self._jobs, mp_context=get_context("spawn")) as pool:
            filling: dict[int, Future[tuple[int, int]]] = {
                partition: pool.submit(_filled, self._settings, set_id, partition, ends[partition])
                for partition in sorted(ends, key=lambda one: -ends[one])
            }
            left = set(filling.values())
            while left:
                done, left = wait(left, LOOK_EVERY_S, FIRST_EXCEPTION)
                for one in done:
                    if one.exception() is not None:
                        pool.shutdown(cancel_futures=True)
                    one.result()
                look()
            return {partition: one.result() for partition, one in filling.items()}


def _filled(settings: Settings, set_id: int, partition: int, end: int) -> tuple[int, int]:
    assert settings.kafka is not None
    gc.set_threshold(*GC_THRESHOLDS)
    store = Store.open(settings.database)
    filling = Filling(store, view_set(set_id), lambda _: None)
    topic = Topics(settings.topic_prefix).order_events
    try:
        with History(topic, settings.kafka, settings.kafka_security.client_options()) as history:
            filling.fill(history, partition, end)
    finally:
        store.close()
    return filling.applied[partition], filling.counts[partition]
