"""Drafts of a configuration: what is wrong with one, and the sequencer that it makes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from pydantic import ValidationError

from schemas.configuration import Axes, Configuration, Override, PluginEntry
from schemas.connections import Connections
from streams.core.config_versions import numbered
from streams.core.sequence import Sequencer
from waybill.configuration import RefusedConfigurationError, plugin_facts
from waybill.configuration_checks import (
    Catalogue,
    configuration_findings,
    connection_findings,
)
from waybill.documents import Document, RefusedDocumentError, findings_of, parse_document
from waybill.findings import Finding, Severity, errors

_MODELS = (Configuration, Axes, Override, PluginEntry)


@dataclass(frozen=True, slots=True)
class Draft:
    """A document that may become a version. `configuration` is None where its shape is wrong."""

    document: Mapping[str, Any]
    configuration: Configuration | None
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> Configuration:
        """The configuration; RefusedConfigurationError where there are errors."""
        if self.configuration is None or errors(self.findings):
            raise RefusedConfigurationError(errors(self.findings))
        return self.configuration


class Drafting:
    """Checks documents against the installed plugins and the tenants' connections."""

    def __init__(self, catalogue: Catalogue, connections: Connections) -> None:
        self.catalogue = catalogue
        self._connections = connections
        self._facts = plugin_facts(catalogue)

    def read(self, text: str, tenant: str, file: str = "the body") -> Draft:
        """The draft in a text (JSON or YAML); its findings have lines and columns.

        A draft need not say its `version`.
        """
        try:
            document = parse_document(text, file)
        except RefusedDocumentError as refusal:
            return Draft({}, None, (refusal.finding,))
        return self._drafted(document, tenant)

    def check(self, document: Mapping[str, Any], tenant: str) -> Draft:
        """The same for a document that is no text: findings have paths only."""
        draft = self._drafted(Document("", document), tenant)
        plain = [replace(one, file=None, line=None, column=None) for one in draft.findings]
        return Draft(draft.document, draft.configuration, tuple(plain))

    def sequencer(self, configuration: Configuration) -> Sequencer:
        """What resolves waybills under it."""
        return Sequencer(configuration, self._facts)

    def _drafted(self, document: Document, tenant: str) -> Draft:
        value = document.value
        if not isinstance(value, Mapping):
            finding = Finding(
                code="malformed", message="a configuration is an object", remedy="write an object"
            )
            return Draft({}, None, (document.placed(finding),))
        if not _can_be_kept(value):
            finding = Finding(
                code="malformed",
                message="a number or a text in it cannot be kept as JSON, or it is nested too deep",
                remedy="write numbers of 64 bits, texts of Unicode, and at most 200 levels",
            )
            return Draft({}, None, (document.placed(finding),))
        value = numbered(value, 1) if value.get("version") is None else value
        try:
            configuration = Configuration.model_validate(value)
        except ValidationError as error:
            known = sorted({name for model in _MODELS for name in model.model_fields})
            found = findings_of(error, value, (), known)
            return Draft(value, None, tuple(document.placed(one) for one in found))
        findings = self._findings(configuration, tenant)
        return Draft(value, configuration, tuple(document.placed(one) for one in findings))

    def _findings(self, configuration: Configuration, tenant: str) -> Iterator[Finding]:
        yield from configuration_findings(configuration, self.catalogue)
        yield from connection_findings(tenant, configuration, self.catalogue, self._connections)


def _can_be_kept(value: Mapping[str, Any]) -> bool:
    wrapped = [[[[value]]]]  # records and answers hold it some levels down
    try:
        kept: bool = orjson.loads(orjson.dumps(wrapped)) == wrapped
    except (TypeError, ValueError):
        return False
    return kept


def lane_findings(before: Configuration, after: Configuration) -> Sequence[Finding]:
    """A warning where orders that are under way would stand in other lanes than those to come."""
    if before.lane_by == after.lane_by:
        return ()
    return (
        Finding(
            code="lane_by_changes",
            message="orders that are under way keep the lanes that they have, so that new ones"
            " can overtake them",
            remedy="change lane_by while no orders are under way",
            severity=Severity.WARNING,
            path="/lane_by",
        ),
    )
