"""`/configuration`: the one in use, its versions, what differs, going back, and the matrix."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from schemas.configuration import Configuration, Override
from streams.core.config_changes import changes, text_diff
from streams.core.config_versions import Version
from streams.core.matrix import AXES, override_words
from waybill.api import configuring as rest
from waybill.api.configuring_shapes import DiffQuery, VersionsQuery
from waybill.api.planning_shapes import MatrixQuery
from waybill.api.principal import Scope
from waybill.api.problems import BAD_QUERY, NOT_FOUND, ApiProblem, not_found
from waybill.configuring.drafts import Draft
from waybill.configuring.matrices import WideMatrixError, matrix_view
from waybill.console.pages import Page, Visit


async def current(visit: Visit) -> web.StreamResponse:
    """What orders are taken under now."""
    found = version_in_use(visit)
    if found is None:
        return visit.page("configuration_none.html")
    return visit.page(
        "configuration.html", refresh=30, in_use=found.version, **_shown(visit, found)
    )


async def version(visit: Visit) -> web.StreamResponse:
    """One version."""
    found = await version_of(visit, visit.part("version"))
    in_use = version_in_use(visit)
    return visit.page(
        "configuration.html",
        in_use=None if in_use is None else in_use.version,
        **_shown(visit, found),
    )


async def versions(visit: Visit) -> web.StreamResponse:
    """All versions, the newest first."""
    query = visit.query(VersionsQuery)
    page = await visit.answer(rest.versions, query)
    found = version_in_use(visit)
    return visit.page(
        "configuration_versions.html",
        versions=page["items"],
        next=page["next"],
        in_use=None if found is None else found.version,
    )


async def diff(visit: Visit) -> web.StreamResponse:
    """What differs between two versions."""
    query = visit.query(DiffQuery)
    found = await visit.answer(rest.diff, query)
    return visit.page("configuration_diff.html", found=found)


async def rollback_form(visit: Visit) -> web.StreamResponse:
    """What going back to a version would change."""
    return await _rollback_page(visit, None, "")


async def rollback(visit: Visit) -> web.StreamResponse:
    """Makes the older version the next one."""
    form = await visit.form()
    older = await version_of(visit, visit.part("version"))
    try:
        base, reason = int(form.get("base", "0")), reason_of(form)
        made = await rest.changed(visit.services, visit.principal, older.document, base, reason)
    except ApiProblem as problem:
        return await _rollback_page(visit, problem, form.get("reason", ""))
    return visit.see("/configuration", made_words(made.version.version, is_new=made.is_new))


async def show_matrix(visit: Visit) -> web.StreamResponse:
    """Which sequence each combination of axes gets."""
    query = visit.query(MatrixQuery)
    found = version_in_use(visit)
    if query.version is not None:
        found = await rest.known_version(visit.services, visit.tenant, query.version)
    if found is None:
        raise not_found("a processing configuration")
    configuration = Configuration.model_validate(found.document)
    try:
        view = matrix_view(configuration, query.model_dump())
    except WideMatrixError as wide:
        raise ApiProblem(BAD_QUERY, str(wide), wide.remedy) from None
    return visit.page(
        "configuration_matrix.html",
        version=found.version,
        given=query.model_dump(),
        axes=AXES,
        view=view,
        overrides=[override_words(one) or "every order" for one in configuration.overrides],
    )


def version_in_use(visit: Visit) -> Version | None:
    """The tenant's; a 503 problem where nobody knows yet."""
    return rest.known_book(visit.services).current(visit.tenant)


async def version_of(visit: Visit, number: str) -> Version:
    """That version; a 404 problem where it was never in use."""
    if not number.isascii() or not number.isdecimal() or len(number) > len("2147483647"):
        raise ApiProblem(NOT_FOUND, "there is no such version", "choose one of the list")
    return await rest.known_version(visit.services, visit.tenant, int(number))


def reason_of(form: Mapping[str, str]) -> str:
    """Why; a problem where it is left out."""
    reason = form.get("reason", "").strip()
    if not reason or "\x00" in reason:
        raise ApiProblem(BAD_QUERY, "the reason is missing", "say why", "reason")
    return reason[:500]


def made_words(number: int, *, is_new: bool) -> str:
    """What came of a change."""
    if is_new:
        return f"Version {number} is in use now. Orders under way keep theirs."
    return f"Version {number} says that already, and stays in use."


def differences(before: Version | None, document: Mapping[str, Any]) -> dict[str, Any]:
    """What a document changes, in words and as a text."""
    old: Mapping[str, Any] = {} if before is None else before.document
    names = ("nothing" if before is None else f"version {before.version}", "this draft")
    return {
        "changes": changes(old, document),
        "text": "\n".join(text_diff(old, document, names)),
    }


def _shown(visit: Visit, found: Version) -> dict[str, Any]:
    draft = visit.services.configurations.drafting.check(found.document, visit.tenant)
    return {
        "version": found,
        "configuration": draft.configuration,
        "overrides": _overrides(draft),
        "findings": draft.findings,
        "unusable": visit.services.configurations.unusable.get(visit.tenant),
    }


def _overrides(draft: Draft) -> list[tuple[str, Override]]:
    if draft.configuration is None:
        return []
    return [(override_words(one) or "every order", one) for one in draft.configuration.overrides]


async def _rollback_page(
    visit: Visit, problem: ApiProblem | None, reason: str
) -> web.StreamResponse:
    older = await version_of(visit, visit.part("version"))
    in_use = version_in_use(visit)
    draft = visit.services.configurations.draft(visit.tenant, older.document)
    return visit.page(
        "configuration_rollback.html",
        older=older,
        in_use=in_use,
        found=differences(in_use, older.document),
        findings=draft.findings,
        problem=problem,
        reason=reason,
    )


PAGES = (
    Page("GET", "/configuration", current, Scope.READ),
    Page("GET", "/configuration/versions", versions, Scope.READ),
    Page("GET", "/configuration/versions/{version}", version, Scope.READ),
    Page("GET", "/configuration/diff", diff, Scope.READ),
    Page("GET", "/configuration/versions/{version}/rollback", rollback_form, Scope.CONFIGURE),
    Page("POST", "/configuration/versions/{version}/rollback", rollback, Scope.CONFIGURE),
    Page("GET", "/configuration/matrix", show_matrix, Scope.READ),
)
