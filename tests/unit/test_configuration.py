"""Configurations and connections: what is refused, where, and with which remedy."""

import json
from pathlib import Path
from typing import Any

import pytest

from plugins.registry import Registry
from schemas.connections import OAuthAuth, SecretFromFile
from schemas.steps import OnUnknown
from waybill.configuration import (
    RefusedConfigurationError,
    check,
    connection_of,
    load_configurations,
    load_connections,
    plugin_facts,
    with_sandbox,
)
from waybill.documents import RefusedDocumentError, parse_document
from waybill.findings import Finding, Severity, errors
from waybill.settings import Address, Settings

REGISTRY = Registry.found()
ENTRY = {"name": "zuora"}


def settings(**environ: Path | str) -> Settings:
    return Settings.from_environment({name: str(value) for name, value in environ.items()})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


def found_in(file: Path, document: Any) -> list[Finding]:
    text = document if isinstance(document, str) else json.dumps(document, indent=2)
    file.write_text(text, encoding="utf-8")
    return check(settings(WAYBILL_CONFIG=file), REGISTRY)


def only(file: Path, **members: Any) -> Finding:
    [finding] = found_in(file, {"version": 1, "sequence": [ENTRY], **members})
    return finding


def place(finding: Finding) -> tuple[str, str | None]:
    return finding.code, finding.path


def codes(findings: list[Finding]) -> set[str]:
    return {finding.code for finding in findings}


class TestDocuments:
    def test_every_member_has_the_line_of_its_name(self) -> None:
        document = parse_document('{\n\t"a": [1,\n  {"b/c": null}]\n}', "x.json")
        assert document.value == {"a": [1, {"b/c": None}]}
        assert document.positions["/a"] == (2, 2)
        assert document.positions["/a/1"] == (3, 3)
        assert document.positions["/a/1/b~1c"] == (3, 4)

    def test_yaml_keeps_the_texts_that_json_would_keep(self) -> None:
        text = "a: no\nb: 2026-01-01\nc: 1.5\nd: '1'\ne: true\nf: ~\ng: 010\n"
        assert parse_document(text, "x.yaml").value == {
            "a": "no",
            "b": "2026-01-01",
            "c": 1.5,
            "d": "1",
            "e": True,
            "f": None,
            "g": 10,
        }

    @pytest.mark.parametrize(
        ("text", "line", "words"),
        [
            ('{\n  "a": 1,\n}', 3, "not JSON"),
            ("a: 1\nb: [", 2, "not YAML"),
            ('{\n"a": 1,\n"a": 2}', 3, "twice"),
            ("a: &x {b: 1}\nc: *x", 1, "aliases"),
            ("[" * 5000, 1, "nested"),
            ('{"a": ' + "9" * 5000 + "}", 1, "too long"),
            ("a: \x00", 1, "characters"),
        ],
    )
    def test_what_is_no_document_is_refused_at_its_line(
        self, text: str, line: int, words: str
    ) -> None:
        with pytest.raises(RefusedDocumentError) as refused:
            parse_document(text, "x")
        assert refused.value.finding.line == line
        assert words in refused.value.finding.message


class TestShape:
    def test_a_configuration_without_errors_is_loaded_for_the_default_tenant(
        self, file: Path
    ) -> None:
        file.write_text(json.dumps({"version": 3, "sequence": [ENTRY]}))
        [(tenant, configuration)] = load_configurations(
            settings(WAYBILL_CONFIG=file), REGISTRY
        ).items()
        assert (tenant, configuration.version) == ("default", 3)

    def test_several_tenants_stand_in_one_file_as_json_or_yaml(self, file: Path) -> None:
        file.write_text(
            "tenants:\n"
            "  acme: {version: 1, sequence: [{name: zuora}]}\n"
            "  harbour: {version: 2, sequence: [{name: salesforceV3}]}\n"
        )
        found = load_configurations(settings(WAYBILL_CONFIG=file), REGISTRY)
        assert {name: one.version for name, one in found.items()} == {"acme": 1, "harbour": 2}

    def test_a_missing_member_is_named(self, file: Path) -> None:
        [finding] = found_in(file, {"sequence": [ENTRY]})
        assert place(finding) == ("missing", "/version")
        assert finding.remedy == "add it"

    def test_an_unknown_member_is_named_with_the_nearest_one_and_its_line(self, file: Path) -> None:
        text = '{"version": 1,\n "sequence": [\n  {"name": "zuora", "critcal": true}]}'
        [finding] = found_in(file, text)
        assert place(finding) == ("extra_forbidden", "/sequence/0/critcal")
        assert (finding.line, finding.column) == (3, 21)
        assert finding.remedy == "did you mean 'critical'?"
        assert str(finding).startswith(f"{file}:3:21: error: /sequence/0/critcal: there is no")

    def test_an_expression_that_does_not_parse_is_refused(self, file: Path) -> None:
        finding = only(file, sequence=[{**ENTRY, "when": "order.["}])
        assert finding.path == "/sequence/0/when"
        assert "JMESPath" in finding.message

    def test_a_tenants_findings_have_the_path_in_the_whole_file(self, file: Path) -> None:
        document = {"tenants": {"a": {"version": 1, "sequence": [{"name": "zuorra"}]}}}
        finding = errors(found_in(file, document))[0]
        assert finding.path == "/tenants/a/sequence/0/name"

    def test_a_tenants_name_must_fit_into_keys(self, file: Path) -> None:
        document = {"tenants": {"a/b": {"version": 1, "sequence": [ENTRY]}}}
        assert place(errors(found_in(file, document))[0]) == ("tenant_name", "/tenants/a~1b")

    @pytest.mark.parametrize("text", ["", "[]", '"x"', "null"])
    def test_a_file_that_holds_no_object_is_refused(self, file: Path, text: str) -> None:
        assert errors(found_in(file, text))

    def test_a_refused_configuration_carries_its_findings(self, file: Path) -> None:
        file.write_text("{}")
        with pytest.raises(RefusedConfigurationError, match="/sequence") as refused:
            load_configurations(settings(WAYBILL_CONFIG=file), REGISTRY)
        assert {finding.path for finding in refused.value.findings} == {"/version", "/sequence"}


class TestMeaning:
    def test_an_unknown_plugin_is_named_with_the_nearest_one(self, file: Path) -> None:
        finding = only(file, sequence=[{"name": "salesforceV2"}])
        assert place(finding) == ("unknown_plugin", "/sequence/0/name")
        assert finding.remedy == "did you mean 'salesforceV3'?"

    def test_wrong_options_are_named_by_their_path(self, file: Path) -> None:
        options = {"endpoint": "/users", "timeoutValue": "soon", "timeOut": 1}
        found = found_in(
            file, {"version": 1, "sequence": [{"name": "calloutPlugin", "options": options}]}
        )
        assert {place(finding) for finding in found} == {
            ("option_int_parsing", "/sequence/0/options/timeoutValue"),
            ("option_extra_forbidden", "/sequence/0/options/timeOut"),
        }

    def test_an_unknown_order_type_in_an_override_is_an_error(self, file: Path) -> None:
        finding = only(file, overrides=[{"order_type": "cancel_subscripton", "exclude": "zuora"}])
        assert place(finding) == ("unknown_order_type", "/overrides/0/order_type")
        assert finding.remedy == "did you mean 'cancel_subscription'?"

    def test_declared_order_types_and_submitted_are_known(self, file: Path) -> None:
        types = ["submitted", "win_back"]
        found = found_in(
            file,
            {
                "version": 1,
                "order_types": ["win_back"],
                "sequence": [ENTRY],
                "overrides": [{"order_type": types, "sequence": [ENTRY]}],
            },
        )
        assert found == []

    @pytest.mark.parametrize("phase", ["sequence", "post"])
    def test_two_equally_specific_overrides_for_the_same_orders_are_an_error(
        self, file: Path, phase: str
    ) -> None:
        overrides = [
            {"order_type": "new", "processing_type": ["a", "b"], phase: [ENTRY]},
            {"order_type": ["submitted", "renew"], "processing_type": "b", phase: [ENTRY]},
        ]
        finding = only(file, sequence=[{"name": "salesforceV3"}], overrides=overrides)
        assert place(finding) == ("rival_overrides", f"/overrides/1/{phase}")

    @pytest.mark.parametrize(
        "other",
        [
            {"order_type": "renew", "sequence": [ENTRY]},
            {"processing_type": "a", "sequence": [ENTRY]},
            {"order_type": "new", "processing_type": "a", "sequence": [ENTRY]},
            {"order_type": "new", "post": [ENTRY]},
            {"order_type": "new", "exclude": "zuora"},
        ],
    )
    def test_overrides_that_do_not_contend_are_fine(
        self, file: Path, other: dict[str, Any]
    ) -> None:
        overrides = [{"order_type": "new", "sequence": [ENTRY]}, other]
        assert found_in(file, {"version": 1, "sequence": [ENTRY], "overrides": overrides}) == []

    def test_an_override_that_changes_nothing_is_an_error(self, file: Path) -> None:
        assert place(only(file, overrides=[{"order_type": "new"}])) == (
            "idle_override",
            "/overrides/0",
        )

    def test_an_override_for_every_order_is_a_warning(self, file: Path) -> None:
        finding = only(file, overrides=[{"sequence": [ENTRY]}])
        assert (finding.code, finding.severity) == ("broad_override", Severity.WARNING)

    def test_an_exclude_that_names_nothing_is_a_warning(self, file: Path) -> None:
        finding = only(file, overrides=[{"order_type": "new", "exclude": "zurora"}])
        assert place(finding) == ("idle_exclude", "/overrides/0/exclude")
        assert finding.severity is Severity.WARNING

    def test_the_same_explicit_id_twice_is_an_error(self, file: Path) -> None:
        finding = only(file, sequence=[{**ENTRY, "id": "x"}], post=[{**ENTRY, "id": "x"}])
        assert place(finding) == ("duplicate_id", "/post/0/id")

    def test_an_explicit_id_that_another_steps_name_has_taken_is_an_error(self, file: Path) -> None:
        finding = only(file, sequence=[ENTRY, {"name": "salesforceV3", "id": "zuora"}])
        assert place(finding) == ("duplicate_id", "/sequence/1/id")

    def test_an_id_that_callouts_use_themselves_is_an_error(self, file: Path) -> None:
        finding = only(file, sequence=[{**ENTRY, "id": "orderId"}])
        assert place(finding) == ("reserved_id", "/sequence/0/id")

    def test_looking_up_needs_a_connector_that_can(self, file: Path) -> None:
        entry = {
            "name": "calloutPlugin",
            "options": {"endpoint": "/a"},
            "on_unknown": "look_up",
        }
        finding = only(file, sequence=[entry])
        assert place(finding) == ("no_look_up", "/sequence/0/on_unknown")
        assert "'rest'" in finding.remedy

    @pytest.mark.parametrize(
        ("options", "path", "passing"),
        [
            ({"shouldRejectOn": {"status": [400, 500]}}, "/shouldRejectOn/status", "502, 503, 504"),
            ({"shouldRejectOn": {"status": []}}, "/shouldRejectOn/status", "500, 502"),
            ({"limioCompatible": True}, "/limioCompatible", "500, 502"),
        ],
    )
    def test_a_callout_that_lets_server_errors_pass_is_a_warning(
        self, file: Path, options: dict[str, Any], path: str, passing: str
    ) -> None:
        entry = {"name": "calloutPlugin", "options": {"endpoint": "/a", **options}}
        finding = only(file, sequence=[entry])
        assert place(finding) == ("server_errors_pass", f"/sequence/0/options{path}")
        assert passing in finding.message
        assert finding.severity is Severity.WARNING

    def test_an_expression_that_reads_a_step_that_is_not_there_is_a_warning(
        self, file: Path
    ) -> None:
        entry = {**ENTRY, "map": {"crmId": "context.salesforceV2.accountId || order.x"}}
        finding = only(file, sequence=[{"name": "salesforceV3"}, entry])
        assert place(finding) == ("unknown_step", "/sequence/1/map/crmId")
        assert finding.remedy == "did you mean 'salesforceV3'?"

    def test_a_plugin_without_its_connection_is_a_warning_per_mode(
        self, file: Path, tmp_path: Path
    ) -> None:
        connections = tmp_path / "connections.json"
        url = {"base_url": "https://zuora.example.org"}
        connections.write_text(json.dumps({"default": {"production": {"zuora": url}}}))
        file.write_text(json.dumps({"version": 1, "sequence": [ENTRY, {"name": "salesforceV3"}]}))
        found = check(settings(WAYBILL_CONFIG=file, WAYBILL_CONNECTIONS=connections), REGISTRY)
        assert [(f.code, f.path, f.severity) for f in found] == [
            ("connection_missing", f"/sequence/{n}", Severity.WARNING) for n in (0, 1)
        ]
        assert "in mode test:" in found[0].message
        assert "in mode production and test:" in found[1].message

    def test_an_absolute_endpoint_needs_a_connection_for_test_orders_only(self, file: Path) -> None:
        entry = {"name": "calloutPlugin", "options": {"endpoint": "https://a.example.org:8443/x"}}
        finding = only(file, sequence=[entry])
        assert "'a.example.org:8443'" in finding.message
        assert "in mode test:" in finding.message


class TestConnections:
    def refused(self, tmp_path: Path, connection: dict[str, Any]) -> list[Finding]:
        path = tmp_path / "connections.json"
        path.write_text(json.dumps({"default": {"production": {"zuora": connection}}}))
        with pytest.raises(RefusedConfigurationError) as refused:
            load_connections(settings(WAYBILL_CONNECTIONS=path))
        return list(refused.value.findings)

    def test_a_secret_in_clear_is_refused_and_never_repeated(self, tmp_path: Path) -> None:
        auth = {"type": "bearer", "token": "open-sesame"}
        [finding] = self.refused(tmp_path, {"base_url": "https://x", "auth": auth})
        assert place(finding) == ("secret_in_clear", "/default/production/zuora/auth/token")
        assert "open-sesame" not in str(finding)
        assert "env" in finding.remedy

    def test_what_is_wrong_is_named_by_its_path(self, tmp_path: Path) -> None:
        limits = {"read_s": 900}
        found = self.refused(tmp_path, {"base_url": "zuora.com", "limits": limits, "auth": {}})
        assert {finding.path for finding in found} == {
            "/default/production/zuora/base_url",
            "/default/production/zuora/limits/read_s",
            "/default/production/zuora/auth",
        }

    def test_an_unknown_mode_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "connections.json"
        path.write_text(json.dumps({"default": {"staging": {}}}))
        with pytest.raises(RefusedConfigurationError, match="/default/staging"):
            load_connections(settings(WAYBILL_CONNECTIONS=path))

    def test_a_secrets_file_counts_from_the_directory_of_the_connections(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "connections.yaml"
        path.write_text(
            "default:\n"
            "  production:\n"
            "    x:\n"
            "      base_url: https://x\n"
            "      auth: {type: bearer, token: {file: token.txt}}\n"
            "      inbound: {file: inbound.txt}\n"
        )
        found = settings(WAYBILL_CONNECTIONS=path)
        connection = load_connections(found).find("default", "production", "x")
        assert connection is not None
        assert connection.auth.model_dump()["token"] == {"file": str(tmp_path / "token.txt")}
        warnings = [f for f in check(found, REGISTRY) if f.code == "secret_missing"]
        assert [f.path for f in warnings] == [
            "/default/production/x/auth/token/file",
            "/default/production/x/inbound/file",
        ]


class TestShipped:
    def test_the_defaults_have_nothing_wrong(self) -> None:
        assert check(settings(), REGISTRY) == []

    def test_the_default_sequence_is_salesforce_then_zuora_then_the_platform_event(self) -> None:
        configuration = load_configurations(settings(), REGISTRY)["default"]
        names = [entry.name for entry in configuration.sequence]
        assert names == ["salesforceV3", "zuora", "platformEvents"]
        assert [(entry.name, entry.critical) for entry in configuration.post] == [
            ("entitlements", False)
        ]

    @pytest.mark.parametrize("mode", ["production", "test"])
    def test_the_shipped_connections_reach_every_sandbox_partner(self, mode: str) -> None:
        connections = load_connections(settings(WAYBILL_SANDBOX="127.0.0.1:9999"))
        for name in ("zuora", "salesforce", "entitlements", "callout"):
            connection = connections.find("default", mode, name)
            assert connection is not None
            assert connection.base_url == f"http://127.0.0.1:9999/{name}"

    def test_shipped_secrets_are_references_to_files_that_say_what_they_are(self) -> None:
        connection = load_connections(settings()).find("default", "production", "zuora")
        assert connection is not None
        assert isinstance(connection.auth, OAuthAuth)
        client, secret = connection.auth.client_id, connection.auth.client_secret
        assert isinstance(client, SecretFromFile)
        assert isinstance(secret, SecretFromFile)
        assert len(Path(client.file).read_text()) == 36
        assert "not-a-secret" in Path(secret.file).read_text()

    def test_other_partners_are_not_moved_with_the_sandbox(self, tmp_path: Path) -> None:
        path = tmp_path / "connections.json"
        url = {"base_url": "https://rest.zuora.com"}
        path.write_text(json.dumps({"default": {"production": {"zuora": url}}}))
        found = load_connections(settings(WAYBILL_CONNECTIONS=path))
        assert with_sandbox(found, Address("127.0.0.1", 1)) == found


def test_unknown_outcomes_are_treated_as_the_partner_allows() -> None:
    facts = plugin_facts(REGISTRY)
    assert facts["salesforceV3"].on_unknown is OnUnknown.REPEAT
    assert facts["zuora"].on_unknown is OnUnknown.REPEAT
    assert facts["calloutPlugin"].on_unknown is OnUnknown.REST
    assert facts["zuora"].connection == "zuora"


def test_where_options_name_the_endpoint_no_connection_is_needed_by_name() -> None:
    assert connection_of(REGISTRY, "calloutPlugin") is None
    assert connection_of(REGISTRY, "zuora") == "zuora"
