"""The types of webhooks and the AsyncAPI document: what goes out, for those who receive it."""

import asyncio
from functools import cache
from typing import Any, Literal

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from streams.core.webhooks.catalogue import TYPES, unknown_patterns
from streams.core.webhooks.schemas import body_schema
from streams.topics import Topics
from waybill.api.asyncapi import asyncapi
from waybill.api.call import JSON, Call, answered
from waybill.api.problems import NOT_FOUND, ApiProblem
from waybill.webhook_examples import webhook_examples


class ByPayload(BaseModel):
    """One for each payload that an endpoint can ask for."""

    model_config = ConfigDict(extra="forbid")

    thin: dict[str, Any]
    full: dict[str, Any]


class WebhookType(BaseModel):
    """One type of webhook."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[a-z]+\.[a-z_]+$")
    group: Literal["order", "step", "accepted", "limio", "webhook"]
    title: str
    description: str = Field(description="When it is sent")
    personal: bool = Field(
        description="Whether the full body has personal data for endpoints that may have it"
    )
    schemas: ByPayload = Field(description="JSON Schemas (2020-12) of the bodies")
    examples: ByPayload


class WebhookTypes(BaseModel):
    """All types."""

    model_config = ConfigDict(extra="forbid")

    items: list[WebhookType]
    next: None = Field(description="They all fit one page")


async def webhook_types(_: Call) -> web.Response:
    """Every type, with schemas and examples."""
    return web.Response(body=await asyncio.to_thread(_types), content_type=JSON)


async def one_webhook_type(call: Call) -> web.Response:
    """One type, with its schemas and examples."""
    name = call.part("name")
    if name not in TYPES:
        near = unknown_patterns([name]).get(name)
        raise ApiProblem(
            NOT_FOUND,
            "there is no type of webhook of that name",
            f"did you mean {near!r}?" if near else "`GET /api/webhook-types` lists them",
        )
    return answered(webhook_type(name))


async def asyncapi_document(call: Call) -> web.Response:
    """The document, with the topics of this installation."""
    document = await asyncio.to_thread(_document, call.api.services.topics)
    return web.Response(body=document, content_type=JSON)


def webhook_type(name: str) -> dict[str, Any]:
    """The type as it is shown."""
    told = TYPES[name]
    return {
        "name": name,
        "group": told.group,
        "title": told.title,
        "description": told.description,
        "personal": told.personal,
        "schemas": {"thin": body_schema(name, "thin"), "full": body_schema(name, "full")},
        "examples": webhook_examples()[name],
    }


@cache
def _types() -> bytes:
    return orjson.dumps({"items": [webhook_type(name) for name in TYPES], "next": None})


@cache
def _document(topics: Topics) -> bytes:
    return asyncapi(topics)
