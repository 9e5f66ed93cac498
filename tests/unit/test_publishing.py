"""Which results of steps go out, and which outputs never."""

from pathlib import Path
from typing import Any

from plugins.registry import Registry
from streams.agents.webhooks.endpoints import EndpointBook
from streams.core.webhooks.endpoint import Endpoint, endpoint_bytes
from streams.kafka.admin import Cluster
from tests.facts import START
from waybill.publishing import published
from waybill.settings import Settings


def settings(tmp_path: Path, **more: str) -> Settings:
    return Settings.from_environment({"WAYBILL_DATA": str(tmp_path), **more})


def endpoint(*events: str, revision: int = 1, **more: Any) -> bytes:
    return endpoint_bytes(
        Endpoint(
            id=f"whe_{'0' * 32}",
            tenant="acme",
            url="https://receiver.example.org",
            events=events,
            secrets=(),
            created=START,
            updated=START,
            revision=revision,
            **more,
        )
    )


async def test_results_of_steps_go_out_where_an_endpoint_wants_them(tmp_path: Path) -> None:
    book = EndpointBook(Cluster("127.0.0.1:9"), "webhook-endpoints", {})
    wanted = published(settings(tmp_path), Registry.found(), book).step_results
    assert not wanted("acme")
    book.take(endpoint("order.*"))
    assert not wanted("acme")
    book.take(endpoint("order.*", "step.failed", revision=2))
    assert wanted("acme")
    assert not wanted("default")
    book.take(endpoint("*", revision=3, enabled=False))
    assert not wanted("acme")


async def test_the_setting_publishes_them_for_everybody(tmp_path: Path) -> None:
    book = EndpointBook(Cluster("127.0.0.1:9"), "webhook-endpoints", {})
    always = settings(tmp_path, WAYBILL_STEP_RESULTS="on")
    assert published(always, Registry.found(), book).step_results("acme")


async def test_what_connectors_seal_is_never_published(tmp_path: Path) -> None:
    book = EndpointBook(Cluster("127.0.0.1:9"), "webhook-endpoints", {})
    secrets = published(settings(tmp_path), Registry.found(), book).secrets
    assert set(secrets["calloutPlugin"]) >= {"token", "email"}
    assert "paymentMethodId" in secrets["zuora"]
