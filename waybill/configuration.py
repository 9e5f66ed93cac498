"""Loads the processing configuration and the connections, and says what is wrong with them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError

from plugins.api import Idempotency
from schemas.configuration import Axes, Configuration, Override, PluginEntry
from schemas.connections import (
    BasicAuth,
    BearerAuth,
    BreakerLimits,
    Connection,
    Connections,
    Limits,
    OAuthAuth,
    Rate,
    SecretFromFile,
)
from schemas.steps import OnUnknown
from streams.core.sequence import PluginFacts, Plugins
from waybill.configuration_checks import (
    Catalogue,
    configuration_findings,
    connection_findings,
)
from waybill.documents import (
    Document,
    RefusedDocumentError,
    findings_of,
    open_document,
    pointer,
)
from waybill.findings import Finding, Severity, errors
from waybill.settings import Address, Settings

DEFAULTS = Path(__file__).parent / "defaults"
DEFAULT_TENANT = "default"
SANDBOX = "http://127.0.0.1:8490"
"""Where the shipped connections expect the sandbox partners."""

_ON_UNKNOWN = {
    Idempotency.NATIVE: OnUnknown.REPEAT,
    Idempotency.LOOK_UP: OnUnknown.LOOK_UP,
    Idempotency.NONE: OnUnknown.REST,
}
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_Part: TypeAlias = tuple[tuple[str, ...], Any]


class RefusedConfigurationError(Exception):
    """A configuration or connections that cannot be used; `findings` say why."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = tuple(findings)


def configuration_file(settings: Settings) -> Path:
    """The file of the processing configuration: as set, else the shipped one."""
    return settings.config or DEFAULTS / "processing-config.json"


def connections_file(settings: Settings) -> Path:
    """The file of the connections: as set, else the shipped one."""
    return settings.connections or DEFAULTS / "connections.json"


def load_configurations(settings: Settings, registry: Catalogue) -> Mapping[str, Configuration]:
    """The configuration of each tenant; RefusedConfigurationError where one has an error."""
    found, findings = _read_configurations(configuration_file(settings), registry)
    if errors(findings):
        raise RefusedConfigurationError(errors(findings))
    return {tenant: configuration for tenant, (_, configuration) in found.items()}


def load_connections(settings: Settings) -> Connections:
    """The connections, shipped ones at the sandbox's address; RefusedConfigurationError.

    A relative file of a secret counts from the directory of the connections.
    """
    connections, findings = _read_connections(connections_file(settings))
    if connections is None or errors(findings):
        raise RefusedConfigurationError(errors(findings))
    if settings.connections is None:
        return with_sandbox(connections, settings.sandbox)
    return connections


def check(settings: Settings, registry: Catalogue) -> list[Finding]:
    """All that is wrong with both documents, warnings included."""
    found, findings = _read_configurations(configuration_file(settings), registry)
    connections, more = _read_connections(connections_file(settings))
    if connections is not None:
        for tenant, (placed, configuration) in found.items():
            missing = connection_findings(tenant, configuration, registry, connections)
            findings += placed.all(missing)
    return [*findings, *more]


def with_sandbox(connections: Connections, sandbox: Address) -> Connections:
    """The same connections, with the sandbox partners at another address."""

    def moved(connection: Connection) -> Connection:
        path = connection.base_url.removeprefix(SANDBOX)
        if path == connection.base_url:
            return connection
        return connection.model_copy(update={"base_url": sandbox.url + path})

    return Connections(
        {
            tenant: {
                mode: {name: moved(connection) for name, connection in named.items()}
                for mode, named in modes.items()
            }
            for tenant, modes in connections.root.items()
        }
    )


def plugin_facts(registry: Catalogue) -> Plugins:
    """What sequencing has to know about each plugin."""
    return {
        name: PluginFacts(
            name=name,
            service=(manifest := registry.get(name).manifest).service,
            on_unknown=_ON_UNKNOWN[manifest.idempotency],
            connection=connection_of(registry, name),
            reads=None if manifest.reads is None else tuple(manifest.reads),
        )
        for name in registry.names()
    }


def connection_of(registry: Catalogue, plugin: str) -> str | None:
    """The connection that every step of the plugin needs; None where its options decide."""
    manifest = registry.get(plugin).manifest
    return None if manifest.endpoint is not None else manifest.connection_name


class _Placed:
    """Puts findings of a part of a document where they belong in the file."""

    def __init__(self, document: Document, at: tuple[str, ...]) -> None:
        self._document = document
        self._at = pointer(at)

    def all(self, findings: Iterable[Finding]) -> list[Finding]:
        """The findings, with the file's paths and lines."""
        return [
            self._document.placed(replace(finding, path=self._at + (finding.path or "")))
            for finding in findings
        ]


def _read_configurations(
    path: Path, registry: Catalogue
) -> tuple[dict[str, tuple[_Placed, Configuration]], list[Finding]]:
    try:
        document = open_document(path)
    except RefusedDocumentError as refusal:
        return {}, [refusal.finding]
    found, findings = {}, []
    for tenant, (at, value) in _by_tenant(document.value).items():
        placed = _Placed(document, at)
        findings += placed.all(_tenant_findings(tenant))
        try:
            configuration = Configuration.model_validate(value)
        except ValidationError as error:
            known = _members(Configuration, Axes, Override, PluginEntry)
            findings += placed.all(findings_of(error, value, (), known))
        else:
            found[tenant] = placed, configuration
            findings += placed.all(configuration_findings(configuration, registry))
    return found, findings


def _by_tenant(value: Any) -> dict[str, _Part]:
    """One document is the default tenant's; `tenants` holds one for each."""
    tenants = value.get("tenants") if isinstance(value, dict) else None
    if isinstance(tenants, dict) and set(value) == {"tenants"}:
        return {name: (("tenants", name), part) for name, part in tenants.items()}
    return {DEFAULT_TENANT: ((), value)}


def _read_connections(path: Path) -> tuple[Connections | None, list[Finding]]:
    try:
        document = open_document(path)
    except RefusedDocumentError as refusal:
        return None, [refusal.finding]
    placed = _Placed(document, ())
    value = _from_directory(document.value, path.absolute().parent)
    try:
        connections = Connections.model_validate(value)
    except ValidationError as error:
        parts = (Connection, Limits, Rate, BreakerLimits)
        known = _members(*parts, BasicAuth, BearerAuth, OAuthAuth)
        return None, placed.all(findings_of(error, document.value, (), known))
    tenants = (finding for tenant in connections.root for finding in _tenant_findings(tenant))
    return connections, placed.all([*tenants, *_secret_findings(connections)])


def _tenant_findings(tenant: str) -> Iterator[Finding]:
    if not _TENANT.fullmatch(tenant):
        yield Finding(
            code="tenant_name",
            message=f"{tenant!r} cannot name a tenant",
            remedy="use at most 64 letters, digits, points, dashes and underscores",
        )


def _secret_findings(connections: Connections) -> Iterator[Finding]:
    for tenant, modes in connections.root.items():
        for mode, named in modes.items():
            for name, connection in named.items():
                for member, secret in _secrets(connection):
                    if isinstance(secret, SecretFromFile) and not Path(secret.file).is_file():
                        yield Finding(
                            code="secret_missing",
                            message=f"there is no file {secret.file}",
                            remedy="write the secret into it",
                            severity=Severity.WARNING,
                            path=pointer([tenant, mode, name, *member, "file"]),
                        )


def _secrets(connection: Connection) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What may be a secret, with its place in the connection."""
    for member in type(connection.auth).model_fields:
        yield ("auth", member), getattr(connection.auth, member)
    yield ("inbound",), connection.inbound


def _from_directory(value: Any, directory: Path) -> Any:
    """The document with the files of its secrets made absolute."""
    if not isinstance(value, dict):
        return value
    if set(value) == {"file"} and isinstance(value["file"], str):
        return {"file": str(directory / value["file"])}
    return {name: _from_directory(member, directory) for name, member in value.items()}


def _members(*models: type[BaseModel]) -> list[str]:
    return sorted({name for model in models for name in model.model_fields})
