"""`waybill rebuild`: all views anew from the log, beside those in use, then in their place."""

import gc
import json
import sys
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console

from projections.rebuild import Progress, rebuild
from projections.store import Store
from projections.writing import Record
from streams.kafka.history import History
from streams.topics import Topics
from waybill import clock
from waybill.running import GC_THRESHOLDS
from waybill.settings import Settings

SAY_EVERY_S = 1.0


def run_rebuild(settings: Settings, json_output: bool) -> int:  # noqa: FBT001 - one command's switch
    """Rebuilds; 0 when the new views are in use."""
    assert settings.kafka is not None
    gc.set_threshold(*GC_THRESHOLDS)
    store = Store.open(settings.database)
    began = clock.monotonic()
    topic = Topics(settings.topic_prefix).order_events
    security = settings.kafka_security.client_options()
    with History(topic, settings.kafka, security) as history:

        def read(partition: int, offset: int) -> Iterator[Sequence[Record]]:
            for chunk in history.read(partition, offset):
                yield [Record(record.offset, record.value, record.timestamp) for record in chunk]

        done = rebuild(store, history.partitions, read, _progress(json_output=json_output))
    seconds = clock.monotonic() - began
    store.close()
    if json_output:
        figures = {"set": done.set_id, "records": done.records, "seconds": round(seconds, 3)}
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        Console().print(f"{done.records} events in {seconds:.1f} s; the new views are in use.")
    return 0


def _progress(*, json_output: bool) -> Callable[[Progress], None]:
    said = clock.monotonic()
    console = Console(stderr=True)

    def say(progress: Progress) -> None:
        nonlocal said
        if clock.monotonic() - said < SAY_EVERY_S:
            return
        said = clock.monotonic()
        if json_output:
            line = {"partition": progress.partition, "records": progress.records}
            sys.stderr.write(json.dumps(line) + "\n")
        else:
            console.print(f"partition {progress.partition}: {progress.records} events so far")

    return say
