"""The Avro schemas in the REST shape of Confluent's registry, so that stock clients read them."""

from aiohttp import web
from orjson import dumps

from schemas.registry import RegisteredSchema, by_id, published
from waybill.api.call import Call

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"

_SUBJECT_NOT_FOUND = 40401
_VERSION_NOT_FOUND = 40402
_SCHEMA_NOT_FOUND = 40403


async def subjects(call: Call) -> web.Response:
    """The names of all subjects."""
    return _answered(sorted(call.api.services.topics.prefix + name for name in published()))


async def versions(call: Call) -> web.Response:
    """The versions of one subject."""
    found = _versions(call)
    if found is None:
        return _missing(_SUBJECT_NOT_FOUND, "Subject not found.")
    return _answered([schema.version for schema in found])


async def version(call: Call) -> web.Response:
    """One version, or `latest`."""
    found = _versions(call)
    if found is None:
        return _missing(_SUBJECT_NOT_FOUND, "Subject not found.")
    wanted = call.part("version")
    for schema in reversed(found):
        if wanted in {"latest", "-1", str(schema.version)}:
            return _answered(
                {
                    "subject": call.part("subject"),
                    "version": schema.version,
                    "id": schema.id,
                    "schema": schema.text,
                }
            )
    return _missing(_VERSION_NOT_FOUND, "Version not found.")


async def schema(call: Call) -> web.Response:
    """The schema with that id."""
    text = call.part("id")
    found = by_id(int(text)) if text.isdecimal() and text.isascii() else None
    if found is None:
        return _missing(_SCHEMA_NOT_FOUND, "Schema not found.")
    return _answered({"schema": found.text})


async def types(_call: Call) -> web.Response:
    """The kinds of schemas there are."""
    return _answered(["AVRO"])


async def config(_call: Call) -> web.Response:
    """How subjects may change: readers are upgraded first."""
    return _answered({"compatibilityLevel": "BACKWARD_TRANSITIVE"})


def _versions(call: Call) -> tuple[RegisteredSchema, ...] | None:
    prefix, name = call.api.services.topics.prefix, call.part("subject")
    return published().get(name.removeprefix(prefix)) if name.startswith(prefix) else None


def _answered(body: object, status: int = 200) -> web.Response:
    return web.Response(body=dumps(body), status=status, content_type=CONTENT_TYPE)


def _missing(code: int, message: str) -> web.Response:
    return _answered({"error_code": code, "message": message}, 404)
