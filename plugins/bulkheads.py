"""Bounds how many conversations one stage has with one partner at a time."""

import asyncio

from schemas.connections import Connection


class Bulkheads:
    """One semaphore per plugin and connection, so that a slow partner holds up no other."""

    def __init__(self) -> None:
        self._slots: dict[tuple[str, str, int], asyncio.Semaphore] = {}

    def of(self, plugin: str, connection: Connection) -> asyncio.Semaphore:
        """Enter it around a conversation."""
        key = (plugin, connection.base_url, connection.limits.max_in_flight)
        slots = self._slots.get(key)
        if slots is None:
            slots = self._slots[key] = asyncio.Semaphore(connection.limits.max_in_flight)
        return slots
