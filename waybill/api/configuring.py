"""`/api/processing-config`: the configuration in use, its versions, and how they are changed."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from streams.core.config_changes import changes, patch, text_diff
from streams.core.config_versions import Version, version_bytes
from waybill.api.auth import Principal
from waybill.api.bodies import body_of, fitting, json_of
from waybill.api.call import ApiServices, Call, answered
from waybill.api.configuring_problems import (
    BAD_CONFIGURATION,
    IF_MATCH_MISSING,
    VERSION_DIFFERS,
)
from waybill.api.configuring_shapes import RollbackBody
from waybill.api.problems import (
    BAD_HEADER,
    KAFKA_UNAVAILABLE,
    MALFORMED_BODY,
    NOT_READY,
    OVERSIZE,
    STORE_UNAVAILABLE,
    ApiProblem,
    not_found,
)
from waybill.api.producing import KafkaUnavailableError
from waybill.api.settings_topics import Setting
from waybill.configuration import RefusedConfigurationError
from waybill.configuring.book import ConfigurationBook, Put, StaleBaseError
from waybill.configuring.schema import configuration_schema
from waybill.findings import Finding, errors

MOST_BYTES = 256 << 10
"""Of a configuration, as JSON or YAML."""

_T = TypeVar("_T")
_ETAG = re.compile(r'"(\d{1,10})"')


async def current(call: Call) -> web.Response:
    """The tenant's configuration in use, its version as ETag."""
    return _document(_current(call.api.services, call.tenant))


async def put(call: Call) -> web.Response:
    """Makes the body the next version."""
    base = _if_match(call.request)
    text = await draft_text(call.request)
    drafting = call.api.services.configurations.drafting
    draft = await asyncio.to_thread(drafting.read, text, call.tenant)
    if errors(draft.findings):
        raise refused_configuration(draft.findings)
    made = await changed(call.api.services, call.principal, draft.document, base, call.query.reason)
    return _made(made)


async def rollback(call: Call) -> web.Response:
    """Makes an older version the next one."""
    base = _if_match(call.request)
    body: RollbackBody = fitting(RollbackBody, await json_of(call.request))
    older = await known_version(call.api.services, call.tenant, body.version)
    made = await changed(call.api.services, call.principal, older.document, base, body.reason)
    return _made(made)


async def versions(call: Call) -> web.Response:
    """Versions with author and reason, the newest first."""
    query, book = call.query, known_book(call.api.services)
    before = None if query.cursor is None else int(query.cursor)
    found = await _kept(lambda: book.history(call.tenant, before=before, limit=query.limit + 1))
    items = [version_view(one) for one in found[: query.limit]]
    more = items[-1]["version"] if len(found) > query.limit else None
    return answered({"items": items, "next": None if more is None else str(more)})


async def version(call: Call) -> web.Response:
    """One version with its document."""
    found = await known_version(call.api.services, call.tenant, _number(call.part("version")))
    return answered({**version_view(found), "document": found.document})


async def diff(call: Call) -> web.Response:
    """What differs between two versions."""
    services, query = call.api.services, call.query
    before = await known_version(services, call.tenant, query.from_)
    number = query.to or _current(services, call.tenant).version
    after = await known_version(services, call.tenant, number)
    return answered(diff_view(before, after))


async def schema(call: Call) -> web.Response:
    """The JSON Schema of configurations, with the options of the plugins that are installed."""
    return answered(configuration_schema(call.api.services.configurations.drafting.catalogue))


async def changed(
    services: ApiServices,
    principal: Principal,
    document: Mapping[str, Any],
    base: int | None,
    reason: str,
) -> Put:
    """What came of making the document the next version; problems as the API answers them.

    `base` as for `ConfigurationBook.put`.
    """
    book = known_book(services)
    try:
        return await _kept(
            lambda: book.put(principal.tenant, document, base, principal.actor, reason)
        )
    except RefusedConfigurationError as refused:
        raise refused_configuration(refused.findings) from None
    except StaleBaseError as stale:
        raise _stale(stale.current) from None
    except KafkaUnavailableError as problem:
        raise _unavailable("Kafka did not acknowledge the version in time") from problem
    except TimeoutError:
        raise _unavailable("the version was written, but could not be read back in time") from None


async def draft_text(request: web.Request) -> str:
    """The body, a configuration as JSON or YAML; 413 and 400 problems."""
    body = await body_of(request)
    if len(body) > MOST_BYTES:
        raise ApiProblem(
            OVERSIZE, f"a configuration has at most {MOST_BYTES} bytes", "shorten the options"
        )
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ApiProblem(MALFORMED_BODY, "the body is not UTF-8", "send UTF-8") from None


def known_book(services: ApiServices) -> ConfigurationBook:
    """The configurations; a 503 problem while the topic was not read to its end yet."""
    if not services.configurations.known:
        raise ApiProblem(
            NOT_READY,
            "the configurations were not read from Kafka yet",
            "try again in a moment; if it stays, look at WAYBILL_KAFKA",
            headers={"Retry-After": "2"},
        )
    return services.configurations


async def known_version(services: ApiServices, tenant: str, number: int) -> Version:
    """That version of the tenant's configuration; a 404 problem where it was never in use."""
    book = known_book(services)
    found = await _kept(lambda: book.version(tenant, number))
    if found is None:
        raise not_found(f"the version {number} of the configuration")
    return found


def version_view(found: Version) -> dict[str, Any]:
    """A version without its document."""
    return {
        "version": found.version,
        "base": found.base,
        "author": found.author,
        "reason": found.reason,
        "at": found.at.isoformat(),
    }


def diff_view(before: Version, after: Version) -> dict[str, Any]:
    """What differs: as a JSON patch, in words, and as a text."""
    names = f"version {before.version}", f"version {after.version}"
    documents = before.document, after.document
    return {
        "from": before.version,
        "to": after.version,
        "patch": patch(*documents),
        "changes": [
            {"place": one.place, "what": one.what, "text": one.text} for one in changes(*documents)
        ],
        "text": "\n".join(text_diff(*documents, names)),
    }


def refused_configuration(findings: Sequence[Finding]) -> ApiProblem:
    """A 422 problem with everything that is wrong, by line and path."""
    wrong = errors(findings)
    first = wrong[0]
    return ApiProblem(
        BAD_CONFIGURATION,
        first.message if len(wrong) == 1 else f"{first.message}; and {len(wrong) - 1} more errors",
        first.remedy,
        first.path,
        more={"findings": [finding_view(one) for one in findings]},
    )


def finding_view(finding: Finding) -> dict[str, Any]:
    """A finding as the API shows it."""
    return {name: value for name, value in finding.as_json().items() if name != "file"}


def version_setting(version: Version) -> Setting:
    """The version as it is written to its topic."""
    return Setting(version.tenant, version_bytes(version), version.tenant, version.author)


def _current(services: ApiServices, tenant: str) -> Version:
    found = known_book(services).current(tenant)
    if found is None:
        raise not_found("a processing configuration of this tenant")
    return found


def _document(found: Version) -> web.Response:
    return answered(found.document, headers={"ETag": f'"{found.version}"'})


def _made(made: Put) -> web.Response:
    body = {
        **version_view(made.version),
        "new": made.is_new,
        "findings": [finding_view(one) for one in made.findings],
    }
    return answered(body, headers={"ETag": f'"{made.version.version}"'})


async def _kept(ask: Callable[[], Awaitable[_T]]) -> _T:
    """What the store answers; a 503 problem where it does not."""
    try:
        return await ask()
    except SQLAlchemyError as problem:
        raise ApiProblem(
            STORE_UNAVAILABLE,
            f"the store does not answer ({type(problem).__name__})",
            "try again; if it stays, look at WAYBILL_DATABASE",
            headers={"Retry-After": "2"},
        ) from problem


def _if_match(request: web.Request) -> int | None:
    """The version that the caller has changed; None for `*`, whichever is in use."""
    text = request.headers.get("If-Match", "").strip()
    if text == "*":
        return None
    if not text:
        raise ApiProblem(
            IF_MATCH_MISSING,
            "a change has to say which version it was made from",
            'send the ETag that GET answered as If-Match ("0" where there is no version yet)',
            "If-Match",
        )
    found = _ETAG.fullmatch(text)
    if found is None:
        raise ApiProblem(
            BAD_HEADER, "If-Match is no ETag of a version", "send the ETag as it came", "If-Match"
        )
    return int(found[1])


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"\d{1,10}", text) else 0


def _stale(found: Version | None) -> ApiProblem:
    if found is None:
        return ApiProblem(
            VERSION_DIFFERS, "the tenant has no version yet", 'send "0" as If-Match', "If-Match"
        )
    return ApiProblem(
        VERSION_DIFFERS,
        f"version {found.version} is in use, by {found.author}: {found.reason}",
        "read it, and decide whether your change still fits",
        "If-Match",
        more={"version": found.version},
    )


def _unavailable(detail: str) -> ApiProblem:
    return ApiProblem(
        KAFKA_UNAVAILABLE,
        detail,
        "send the same again with the same If-Match: what holds already is no new version",
        headers={"Retry-After": "5"},
    )
