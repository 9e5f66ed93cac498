"""The containers are described with names that exist, health checks, and no secrets."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from waybill.settings import VARIABLES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "waybill"}


def test_every_process_of_the_product_has_its_container() -> None:
    processes = {"worker", "projector", "outlet", "webhooks", "api", "sandbox"}
    assert set(OURS) == {"topics", *processes}
    assert set(SERVICES) - set(OURS) == {"kafka", "postgres"}
    assert all(service["command"] == [name] for name, service in OURS.items())


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_only_for_what_is_there(name: str) -> None:
    assert set(SERVICES[name].get("depends_on", {})) <= set(SERVICES)
    shared = str(SERVICES[name].get("network_mode", "service:kafka"))
    assert shared.removeprefix("service:") in SERVICES
    named = {volume.split(":")[0] for volume in SERVICES[name].get("volumes", [])}
    assert {volume for volume in named if "/" not in volume} <= set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"topics"}))
def test_a_service_that_stays_has_a_health_check(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", OURS)
def test_only_settings_that_exist_are_set(name: str) -> None:
    known = {variable.name for variable in VARIABLES}
    given = OURS[name]["environment"]
    assert {key for key in given if key.startswith("WAYBILL_")} <= known
    assert given["PYTHONSAFEPATH"] == "1"


def test_no_secret_stands_in_the_file() -> None:
    secrets = re.findall(r"(?i)(?:password|secret|token)\w*:[ \t]+(\S+)", TEXT)
    assert secrets
    assert all(secret.startswith(("${", "[")) for secret in secrets)
    assert re.search(r"postgresql://waybill:\$\{POSTGRES_PASSWORD", TEXT)


def test_ports_are_open_on_loopback_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_image_keeps_foreign_packages_of_our_names_out() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "PYTHONSAFEPATH=1" in dockerfile
    assert "USER waybill" in dockerfile
