"""Where the API asks how far readers of topics are."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from streams.kafka.lag import Standing, TopicReader


class Lags(Protocol):
    """Kafka, as far as `/api/lag` asks it."""

    async def look(self, readers: Sequence[TopicReader]) -> Mapping[str, Sequence[Standing]]:
        """The standings by the readers' names; `LagUnknownError` where Kafka does not answer."""
