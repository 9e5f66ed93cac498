"""What of a topic is durable elsewhere decides what is committed."""

import asyncio

from streams.agents.ledger import Ledger, LedgerReader


class Reader(LedgerReader):
    """Lands what it is given."""

    def __init__(self):
        self.ended = []
        super().__init__(10, self.ended.append)

    async def land(self, ledger, last, work):
        self._land(ledger, last, work)
        await asyncio.gather(*self._tasks)


async def nothing():
    """An outcome that is durable at once."""


async def broken():
    raise ValueError("a fault of ours")


async def test_what_landed_is_committed():
    ledger, reader = Ledger(0, 5), Reader()
    await reader.land(ledger, 7, nothing())
    assert ledger.committable() == 8
    assert reader.ended == []


async def test_records_without_an_outcome_end_the_process_and_are_not_committed():
    ledger, reader = Ledger(0, 5), Reader()
    await reader.land(ledger, 7, broken())
    await reader.land(ledger, 9, nothing())
    assert ledger.committable() == 5
    assert [str(problem) for problem in reader.ended] == ["a fault of ours"]
