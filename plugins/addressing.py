"""Which connection a step talks through: by its endpoint's host, else by its connector's name."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import urlsplit

import orjson

from plugins.api import Connector, Options
from schemas.connections import Connection, Connections
from schemas.steps import WaybillStep


class Registry(Protocol):
    """The connectors, by plugin name."""

    def get(self, name: str) -> Connector:
        """The connector of that name."""

    def validate_options(self, name: str, options: Mapping[str, Any]) -> Options:
        """The options as the connector's model."""


class NoConnectionError(Exception):
    """The tenant has no connection of that name in that mode."""

    def __init__(self, name: str, mode: str) -> None:
        super().__init__(f"there is no connection {name!r} in mode {mode!r}")
        self.name = name


class Addressing:
    """Finds options and connections of steps; both are the same for many orders."""

    def __init__(self, registry: Registry, connections: Connections) -> None:
        self.registry = registry
        self._connections = connections
        self.options = lru_cache(maxsize=4096)(self._options)
        self.connection = lru_cache(maxsize=4096)(self._connection)

    def missing(self, tenant: str, mode: str, step: WaybillStep) -> str | None:
        """The name of the connection that the step needs and does not have."""
        try:
            self.connection(tenant, mode, step.plugin, step.options)
        except NoConnectionError as problem:
            return problem.name
        return None

    def _options(self, plugin: str, text: str) -> Options:
        return self.registry.validate_options(plugin, orjson.loads(text))

    def _connection(self, tenant: str, mode: str, plugin: str, text: str) -> Connection:
        manifest = self.registry.get(plugin).manifest
        endpoint = manifest.endpoint(self.options(plugin, text)) if manifest.endpoint else None
        if endpoint is None:
            return self._named(tenant, mode, manifest.connection_name)
        url = urlsplit(endpoint)
        find = self._connections.find
        named = find(tenant, mode, url.netloc) or find(tenant, mode, url.hostname or url.netloc)
        if named is None and mode == "test":
            # An endpoint alone says nothing about modes: a test order must not reach production.
            raise NoConnectionError(url.netloc, mode)
        return named or Connection(base_url=f"{url.scheme}://{url.netloc}")

    def _named(self, tenant: str, mode: str, name: str) -> Connection:
        found = self._connections.find(tenant, mode, name)
        if found is None:
            raise NoConnectionError(name, mode)
        return found
