"""Connectors are found by file and entry point, and refused by name with a remedy."""

from dataclasses import replace
from types import ModuleType

import pytest
from pydantic import Field

from plugins.api import Done, Idempotency, Manifest, Options, Request, connector
from plugins.registry import BadConnectorError, BadOptionsError, Registry, UnknownPluginError


class Address(Options):
    city: str


class AcmeOptions(Options):
    plan: str = Field(default="basic", alias="planName")
    size: int = 1
    address: Address | None = None
    sizes: tuple[int, ...] = ()


MANIFEST = Manifest(
    name="acmeShop",
    service="provisioning",
    summary="Opens an account.",
    idempotency=Idempotency.NATIVE,
    options=AcmeOptions,
)


def module(file_name: str = "acme_shop", **changes: object) -> ModuleType:
    @connector(replace(MANIFEST, **changes))
    def acme(_step):
        yield Request.get("/x")
        return Done()

    made = ModuleType(f"plugins.connectors.{file_name}")
    made.acme = acme
    return made


REGISTRY = Registry([module()])


def test_a_connector_is_found_by_its_name():
    assert REGISTRY.names() == ("acmeShop",)
    assert REGISTRY.get("acmeShop").manifest.service == "provisioning"


def test_the_connectors_of_the_product_are_found():
    expected = {"calloutPlugin", "salesforceV3", "zuora", "platformEvents", "entitlements"}
    expected |= {"duplicateSubscriptionCheck", "transferContact", "transferOwnership", "stripe"}
    assert expected <= set(Registry.found().names())


@pytest.mark.parametrize(
    ("name", "hint"), [("acmeshop", "'acmeShop'"), ("acmShop", "'acmeShop'"), ("zzz", "known are")]
)
def test_an_unknown_plugin_gets_a_hint(name, hint):
    with pytest.raises(UnknownPluginError, match=hint):
        REGISTRY.get(name)


def test_options_become_the_connectors_model():
    options = REGISTRY.validate_options("acmeShop", {"planName": "gold", "size": 3})
    assert options == AcmeOptions(planName="gold", size=3)


@pytest.mark.parametrize(
    ("options", "path", "says"),
    [
        ({"planNam": "x"}, "$.options.planNam", "did you mean 'planName'"),
        ({"qqqqq": 1}, "$.options.qqqqq", "known are planName, size"),
        ({"size": "big"}, "$.options.size", "integer"),
        ({"address": {"citi": "x"}}, "$.options.address.city", "required"),
        ({"sizes": [1, "x"]}, "$.options.sizes[1]", "integer"),
    ],
)
def test_bad_options_are_refused_with_the_path(options, path, says):
    with pytest.raises(BadOptionsError) as refused:
        REGISTRY.validate_options("acmeShop", options)
    problem = refused.value.problems[0]
    assert problem.path == path
    assert says in problem.message
    assert "acmeShop" in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"file_name": "acme"}, "name both alike"),
        ({"timeout_s": 46.0}, "at most 45"),
        ({"timeout_s": 0.0}, "at most 45"),
        ({"idempotency": Idempotency.LOOK_UP}, "@reconcile"),
        ({"summary": ""}, "summary"),
        ({"secrets": ("password",)}, "password"),
    ],
)
def test_a_manifest_that_cannot_hold_is_refused_by_name(changes, says):
    with pytest.raises(BadConnectorError, match=says) as refused:
        Registry([module(**changes)])
    assert "acmeShop" in str(refused.value)


def test_two_connectors_of_one_name_are_refused():
    with pytest.raises(BadConnectorError, match="two connectors"):
        Registry([module(), module("acmeshop")])


def test_a_module_has_exactly_one_connector():
    with pytest.raises(BadConnectorError, match="has 0 connectors"):
        Registry([ModuleType("empty")])


def test_installed_connectors_are_found_by_entry_point(tmp_path, monkeypatch):
    (tmp_path / "acme_elsewhere.py").write_text(
        "from plugins.api import *\n"
        "from plugins.api import connector\n"
        "@connector(Manifest(name='acmeElsewhere', service='s', summary='s',\n"
        "           idempotency=Idempotency.NATIVE, options=NoOptions))\n"
        "def acme(step):\n    yield Request.get('/x')\n    return Done()\n"
    )
    info = tmp_path / "acme-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[waybill.connectors]\nacme = acme_elsewhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "acmeElsewhere" in Registry.found().names()
