"""What the environment may say, and what is refused with which words."""

from pathlib import Path

import pytest

from waybill.settings import Address, Settings, SettingsError


def settings(**environ: str) -> Settings:
    return Settings.from_environment(environ)


def refused(**environ: str) -> SettingsError:
    with pytest.raises(SettingsError) as error:
        Settings.from_environment(environ)
    return error.value


def test_an_empty_environment_means_everything_on_this_machine() -> None:
    found = settings()
    assert found.kafka is None
    assert found.http == Address("127.0.0.1", 8480)
    assert found.sandbox == Address("127.0.0.1", 8490)
    assert found.metrics is None
    assert found.data == Path(".waybill").absolute()
    assert found.database == f"sqlite:///{found.data}/waybill.sqlite"
    assert found.keys == found.data / "keys.json"


def test_an_empty_value_counts_as_not_given() -> None:
    assert settings(WAYBILL_KAFKA="", WAYBILL_HTTP="") == settings()


def test_the_store_and_the_keys_follow_the_data_directory(tmp_path: Path) -> None:
    found = settings(WAYBILL_DATA=str(tmp_path))
    assert found.database == f"sqlite:///{tmp_path}/waybill.sqlite"
    assert found.keys == tmp_path / "keys.json"


def test_a_plain_postgresql_url_gets_the_driver_that_is_installed() -> None:
    found = settings(WAYBILL_DATABASE="postgresql://ada:p%40ss@db/waybill")
    assert found.database == "postgresql+psycopg://ada:p%40ss@db/waybill"


def test_a_variable_that_nobody_knows_is_refused_with_the_nearest_name() -> None:
    error = refused(WAYBILL_KAFKA_SASL_USER="ada")
    assert (error.code, error.variable) == ("setting_unknown", "WAYBILL_KAFKA_SASL_USER")
    assert "WAYBILL_KAFKA_SASL_USERNAME" in error.remedy


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WAYBILL_HTTP", "8480"),
        ("WAYBILL_HTTP", "127.0.0.1:70000"),
        ("WAYBILL_METRICS", "here"),
        ("WAYBILL_KAFKA", "broker"),
        ("WAYBILL_KAFKA", "one:9092,,two:9092"),
        ("WAYBILL_DATABASE", "mysql://db/x"),
        ("WAYBILL_DATABASE", "nonsense"),
        ("WAYBILL_CONFIG", "/no/such/file.json"),
        ("WAYBILL_API_KEYS", "/no/such/file.json"),
        ("WAYBILL_TOPIC_PREFIX", "a b"),
        ("WAYBILL_SCHEMA_REGISTRY", "registry:8081"),
        ("WAYBILL_KAFKA_SECURITY_PROTOCOL", "TLS"),
    ],
)
def test_a_bad_value_is_refused_by_name_with_a_remedy(variable: str, value: str) -> None:
    error = refused(**{variable: value})
    assert (error.code, error.variable) == ("setting_invalid", variable)
    assert error.remedy


def test_an_ipv6_address_is_written_in_brackets() -> None:
    found = settings(WAYBILL_HTTP="[::1]:8480")
    assert found.http == Address("::1", 8480)
    assert (found.http.url, found.http.is_loopback) == ("http://[::1]:8480", True)


def test_listening_beyond_loopback_needs_keys(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="setting_unsafe"):
        settings(WAYBILL_HTTP="0.0.0.0:8480").check_exposure()
    keys = tmp_path / "keys.json"
    keys.write_text("{}")
    settings(WAYBILL_HTTP="0.0.0.0:8480", WAYBILL_API_KEYS=str(keys)).check_exposure()
    settings().check_exposure()


def test_sasl_over_tls_is_taken_by_the_usual_names() -> None:
    security = settings(
        WAYBILL_KAFKA="broker:9093",
        WAYBILL_KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        WAYBILL_KAFKA_SASL_MECHANISM="scram-sha-512",
        WAYBILL_KAFKA_SASL_USERNAME="ada",
        WAYBILL_KAFKA_SASL_PASSWORD="open sesame",
        WAYBILL_KAFKA_SSL_CHECK_HOSTNAME="false",
    ).kafka_security
    options = security.client_options()
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["sasl_plain_username"] == "ada"
    assert options["ssl_context"].check_hostname is False


@pytest.mark.parametrize(
    ("given", "blamed"),
    [
        ({"SECURITY_PROTOCOL": "SASL_SSL", "SASL_USERNAME": "ada"}, "SASL_PASSWORD"),
        ({"SECURITY_PROTOCOL": "SSL", "SASL_USERNAME": "ada"}, "SASL_USERNAME"),
        ({"SASL_PASSWORD": "open sesame"}, "SASL_PASSWORD"),
        ({"SSL_CHECK_HOSTNAME": "false"}, "SSL_CHECK_HOSTNAME"),
    ],
)
def test_half_a_credential_is_refused(given: dict[str, str], blamed: str) -> None:
    error = refused(**{f"WAYBILL_KAFKA_{name}": value for name, value in given.items()})
    assert error.variable == f"WAYBILL_KAFKA_{blamed}"
    assert "open sesame" not in str(error)


def test_secrets_do_not_show() -> None:
    shown = repr(
        settings(
            WAYBILL_DATABASE="postgresql://ada:sesame@db/waybill",
            WAYBILL_SCHEMA_REGISTRY="http://ada:sesame@registry:8081",
            WAYBILL_KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT",
            WAYBILL_KAFKA_SASL_USERNAME="ada",
            WAYBILL_KAFKA_SASL_PASSWORD="sesame",
        )
    )
    assert "sesame" not in shown
    assert "sesame" not in str(refused(WAYBILL_DATABASE="oracle://ada:sesame@db/x"))
