"""What the environment says, read once and checked; the only reader of the environment."""

import difflib
import getpass
import importlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self, TypeVar
from urllib.parse import urlsplit

from streams.core.webhooks.egress import AllowList
from streams.kafka.security import MECHANISMS, PROTOCOLS, KafkaSecurity

_T = TypeVar("_T", bound=str)


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable; `default` as a reader of the documentation should see it."""

    name: str
    default: str
    meaning: str


VARIABLES: tuple[Variable, ...] = (
    Variable("WAYBILL_KAFKA", "embedded", "Kafka to use: host:port, several parted by commas"),
    Variable(
        "WAYBILL_DATABASE",
        "sqlite:///<WAYBILL_DATA>/waybill.sqlite",
        "SQLAlchemy URL of the store: SQLite or PostgreSQL",
    ),
    Variable("WAYBILL_HTTP", "127.0.0.1:8480", "Where the API listens"),
    Variable("WAYBILL_DATA", ".waybill", "Directory of all that Waybill keeps on this machine"),
    Variable("WAYBILL_CONFIG", "", "File of the processing configuration to begin with"),
    Variable("WAYBILL_CONNECTIONS", "", "File of the connections to partner systems"),
    Variable("WAYBILL_KEYS", "<WAYBILL_DATA>/keys.json", "File of the keys that seal orders"),
    Variable("WAYBILL_SCHEMA_REGISTRY", "", "URL of a Confluent schema registry to import into"),
    Variable("WAYBILL_TOPIC_PREFIX", "", "Put before the name of every topic"),
    Variable("WAYBILL_API_KEYS", "", "File of hashed API keys; needed to listen beyond loopback"),
    Variable("WAYBILL_API_KEY", "", "The key that the command line sends to the API"),
    Variable("WAYBILL_SANDBOX", "127.0.0.1:8490", "Where the sandbox partners listen"),
    Variable(
        "WAYBILL_WEBHOOK_ALLOW",
        "",
        "Receivers of webhooks that need not be public: host[:port], address or network, by commas",
    ),
    Variable("WAYBILL_STEP_RESULTS", "off", "on: publish results of steps, wanted or not"),
    Variable("WAYBILL_METRICS", "", "Where a process serves /livez, /readyz and /metrics"),
    Variable("WAYBILL_KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", " | ".join(PROTOCOLS)),
    Variable("WAYBILL_KAFKA_SASL_MECHANISM", "PLAIN", " | ".join(MECHANISMS)),
    Variable("WAYBILL_KAFKA_SASL_USERNAME", "", "Name for SASL"),
    Variable("WAYBILL_KAFKA_SASL_PASSWORD", "", "Password for SASL"),
    Variable("WAYBILL_KAFKA_SSL_CAFILE", "", "Certificates to trust; default: the system's"),
    Variable("WAYBILL_KAFKA_SSL_CERTFILE", "", "This client's certificate"),
    Variable("WAYBILL_KAFKA_SSL_KEYFILE", "", "The key of this client's certificate"),
    Variable("WAYBILL_KAFKA_SSL_PASSWORD", "", "Password of that key"),
    Variable("WAYBILL_KAFKA_SSL_CHECK_HOSTNAME", "true", "Whether the broker's name is checked"),
)

_DEFAULTS = {variable.name: variable.default for variable in VARIABLES}


class SettingsError(Exception):
    """A variable that cannot be used, with what to do about it; never holds a secret's value."""

    def __init__(self, code: str, variable: str, message: str, remedy: str) -> None:
        super().__init__(f"{variable}: {message}. {remedy}. [{code}]")
        self.code = code
        self.variable = variable
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Address:
    """A place to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The base URL for a client on this machine."""
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, never bound
        return f"http://{Address(everywhere.get(self.host, self.host), self.port)}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that can be set from outside. `kafka` None stands for the embedded broker."""

    kafka: str | None
    database: str = field(repr=False)
    http: Address
    data: Path
    config: Path | None
    connections: Path | None
    keys: Path
    schema_registry: str | None = field(repr=False)
    topic_prefix: str
    api_keys: Path | None
    sandbox: Address
    metrics: Address | None
    kafka_security: KafkaSecurity
    webhook_allow: str = ""
    step_results: bool = False
    api_key: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """The settings in `environ`; SettingsError where one is unknown or cannot be used."""
        _refuse_unknown(environ)
        values = {name: text for name, text in environ.items() if text and name in _DEFAULTS}
        data = Path(values.get("WAYBILL_DATA", _DEFAULTS["WAYBILL_DATA"])).absolute()
        return cls(
            kafka=_bootstrap(values),
            database=_database(values, data),
            http=_address(values, "WAYBILL_HTTP"),
            data=data,
            config=_file(values, "WAYBILL_CONFIG"),
            connections=_file(values, "WAYBILL_CONNECTIONS"),
            keys=_path(values, "WAYBILL_KEYS") or data / "keys.json",
            schema_registry=_registry(values),
            topic_prefix=_topic_prefix(values),
            api_keys=_file(values, "WAYBILL_API_KEYS"),
            sandbox=_address(values, "WAYBILL_SANDBOX"),
            metrics=_address(values, "WAYBILL_METRICS") if "WAYBILL_METRICS" in values else None,
            kafka_security=_security(values),
            webhook_allow=_webhook_allow(values),
            step_results=_choice(values, "WAYBILL_STEP_RESULTS", ("ON", "OFF")) == "ON",
            api_key=_api_key(values),
        )

    @property
    def keys_are_ours(self) -> bool:
        """Whether the file of keys is the one that Waybill makes for itself on first start."""
        return self.keys == self.data / "keys.json"

    def check_exposure(self) -> None:
        """SettingsError where the API would be open to other machines without keys."""
        if self.http.is_loopback or self.api_keys is not None:
            return
        raise SettingsError(
            "setting_unsafe",
            "WAYBILL_HTTP",
            f"{self.http} can be reached from other machines and no API keys are set",
            "Name a file of keys in WAYBILL_API_KEYS, or listen on 127.0.0.1",
        )


def load_settings() -> Settings:
    """The settings of this process."""
    return Settings.from_environment(os.environ)


def child_environment(overrides: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process that we start: ours, with `overrides`."""
    return {**os.environ, **overrides}


def operator_name() -> str:
    """Who runs this process, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"  # a container may run as a number that no file of users names


def cache_directory() -> Path:
    """Where this user's programs keep what can be fetched again."""
    given = os.environ.get("XDG_CACHE_HOME")
    return (Path(given) if given else Path.home() / ".cache") / "waybill"


def _invalid(variable: str, message: str, remedy: str) -> SettingsError:
    return SettingsError("setting_invalid", variable, message, remedy)


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    for name in sorted(environ):
        if not name.startswith("WAYBILL_") or name in _DEFAULTS:
            continue
        near = difflib.get_close_matches(name, _DEFAULTS, n=1, cutoff=0.0)[0]
        raise SettingsError(
            "setting_unknown",
            name,
            "there is no such setting",
            f"Rename it to {near}, or remove it",
        )


def _path(values: Mapping[str, str], name: str) -> Path | None:
    return Path(values[name]).absolute() if name in values else None


def _file(values: Mapping[str, str], name: str) -> Path | None:
    path = _path(values, name)
    if path is not None and not path.is_file():
        raise _invalid(name, f"{path} is not a file", "Name a file that this user can read")
    return path


def parse_address(text: str) -> Address | None:
    """`host:port` or `[v6]:port`; None where it is neither."""
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s:\[\]/@]+)):(\d{1,5})", text)
    if found is None or not 0 < int(found[3]) < 65536:  # noqa: PLR2004 - TCP's own bound
        return None
    return Address(found[1] or found[2], int(found[3]))


def _address(values: Mapping[str, str], name: str) -> Address:
    text = values.get(name, _DEFAULTS[name])
    address = parse_address(text)
    if address is None:
        raise _invalid(
            name, f"{text!r} is not an address", "Write host:port, for instance 127.0.0.1:8480"
        )
    return address


def _bootstrap(values: Mapping[str, str]) -> str | None:
    text = values.get("WAYBILL_KAFKA")
    if text is None:
        return None
    servers = [server.strip() for server in text.split(",")]
    for server in servers:
        if parse_address(server) is None:
            raise _invalid(
                "WAYBILL_KAFKA",
                f"{server!r} is not a broker's address",
                "Write host:port, several parted by commas; leave it out for the embedded broker",
            )
    return ",".join(servers)


def _database(values: Mapping[str, str], data: Path) -> str:
    text = values.get("WAYBILL_DATABASE")
    if text is None:
        return f"sqlite:///{data / 'waybill.sqlite'}"
    sqlalchemy = importlib.import_module("sqlalchemy")  # slow, and few commands need it
    try:
        url = sqlalchemy.make_url(text)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in {"sqlite", "postgresql", "postgresql+psycopg"}:
        raise _invalid(
            "WAYBILL_DATABASE",
            "not the URL of a database that can be used",
            "Write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE",
        )
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    return str(url.render_as_string(hide_password=False))


def _registry(values: Mapping[str, str]) -> str | None:
    text = values.get("WAYBILL_SCHEMA_REGISTRY")
    if text is not None:
        url = urlsplit(text)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise _invalid(
                "WAYBILL_SCHEMA_REGISTRY", "not a URL", "Write http://HOST:PORT or https://HOST"
            )
    return text


def _topic_prefix(values: Mapping[str, str]) -> str:
    text = values.get("WAYBILL_TOPIC_PREFIX", "")
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,200}", text):
        raise _invalid(
            "WAYBILL_TOPIC_PREFIX",
            f"{text!r} cannot begin the name of a topic",
            "Use at most 200 letters, digits, points, dashes and underscores",
        )
    return text


def _api_key(values: Mapping[str, str]) -> str | None:
    text = values.get("WAYBILL_API_KEY")
    if text is not None and not re.fullmatch(r"[!-~]{1,400}", text):
        remedy = "Set it to a key as `waybill keys new` printed it"
        raise _invalid("WAYBILL_API_KEY", "not an API key", remedy)
    return text


def _webhook_allow(values: Mapping[str, str]) -> str:
    text = values.get("WAYBILL_WEBHOOK_ALLOW", "")
    try:
        AllowList.parsed(text)
    except ValueError as problem:
        raise _invalid(
            "WAYBILL_WEBHOOK_ALLOW",
            f"{problem.args[0]!r} is neither a host nor an address nor a network",
            "Write host, host:port, 10.0.0.0/8 or [fd00::1]:8443, several parted by commas",
        ) from None
    return text


def _choice(values: Mapping[str, str], name: str, choices: tuple[_T, ...]) -> _T:
    text = values.get(name, _DEFAULTS[name]).upper()
    if text not in choices:
        raise _invalid(name, f"{text!r} is not known", f"Write one of {', '.join(choices)}")
    return text


def _security(values: Mapping[str, str]) -> KafkaSecurity:
    prefix = "WAYBILL_KAFKA_"
    security = KafkaSecurity(
        protocol=_choice(values, f"{prefix}SECURITY_PROTOCOL", PROTOCOLS),
        mechanism=_choice(values, f"{prefix}SASL_MECHANISM", MECHANISMS),
        username=values.get(f"{prefix}SASL_USERNAME"),
        password=values.get(f"{prefix}SASL_PASSWORD"),
        ca_file=_file(values, f"{prefix}SSL_CAFILE"),
        cert_file=_file(values, f"{prefix}SSL_CERTFILE"),
        key_file=_file(values, f"{prefix}SSL_KEYFILE"),
        key_password=values.get(f"{prefix}SSL_PASSWORD"),
        check_hostname=_choice(values, f"{prefix}SSL_CHECK_HOSTNAME", _SWITCH) == "TRUE",
    )
    _check_complete(values, security)
    return security


_SWITCH: tuple[Literal["TRUE", "FALSE"], ...] = ("TRUE", "FALSE")


def _check_complete(values: Mapping[str, str], security: KafkaSecurity) -> None:
    """Refuse half a credential, and one that the protocol would silently leave unused."""
    protocol = "WAYBILL_KAFKA_SECURITY_PROTOCOL"
    for part in ("USERNAME", "PASSWORD"):
        name = f"WAYBILL_KAFKA_SASL_{part}"
        if security.sasl and name not in values:
            raise _invalid(name, f"{security.protocol} needs it", f"Set it, or change {protocol}")
    if security.key_file is not None and security.cert_file is None:
        name = "WAYBILL_KAFKA_SSL_CERTFILE"
        raise _invalid(name, "a key without its certificate", "Set both or neither")
    for name in sorted(values):
        unused = (name.startswith("WAYBILL_KAFKA_SASL_") and not security.sasl) or (
            name.startswith("WAYBILL_KAFKA_SSL_") and not security.tls
        )
        if unused:
            raise _invalid(
                name, f"has no effect with {security.protocol}", f"Set {protocol} as well"
            )
