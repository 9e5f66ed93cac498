"""API keys, and who is let in."""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from yarl import URL

from waybill.api.partners import PartnerSecrets
from waybill.api.principal import Principal, Scope
from waybill.api.problems import BAD_HEADER, FOREIGN_HOST, MISSING_SCOPE, UNAUTHENTICATED
from waybill.api.problems import ApiProblem as Refused
from waybill.api.sessions import COOKIE, Sessions

__all__ = [
    "ApiKey",
    "ApiKeysError",
    "Gate",
    "KeyAct",
    "Principal",
    "Scope",
    "load_api_keys",
    "new_api_key",
]

DEFAULT_TENANT = "default"
TENANT_HEADER = "waybill-tenant"
TENANT_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"

_SECRET_BYTES = 32
_ID_BYTES = 4
_SAFE = frozenset({"GET", "HEAD"})

NOBODY = Principal(DEFAULT_TENANT, frozenset(), "anonymous")
"""Who came without a key."""


class KeyAct(BaseModel):
    """When a key was made or revoked, by whom and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: AwareDatetime
    by: str
    reason: str | None = None


class ApiKey(BaseModel):
    """One key as the file in WAYBILL_API_KEYS holds it: `hash` is the SHA-256 of the whole key.

    One that is `revoked` lets nobody in; it stays there for the audit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[A-Za-z0-9-]{1,64}$")
    hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    tenant: str = Field(pattern=f"^{TENANT_PATTERN}$")
    scopes: frozenset[Scope]
    expires: AwareDatetime | None = None
    actor: str | None = None
    made: KeyAct | None = None
    revoked: KeyAct | None = None


class ApiKeysError(Exception):
    """The file of API keys cannot be used; says where and why, never a hash."""


def load_api_keys(path: Path) -> tuple[ApiKey, ...]:
    """The keys in a JSON file; `ApiKeysError` names the member that is wrong."""
    try:
        keys = TypeAdapter(tuple[ApiKey, ...]).validate_json(path.read_bytes())
    except OSError as problem:
        raise ApiKeysError(f"{path}: {problem.strerror}. [api_keys_unreadable]") from None
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        raise ApiKeysError(f"{path}: /{place}: {first['msg']}. [api_keys_invalid]") from None
    ids = [key.id for key in keys]
    if len(set(ids)) != len(ids):
        raise ApiKeysError(f"{path}: two keys have the same id. [api_keys_invalid]")
    return keys


def new_api_key(
    tenant: str,
    scopes: Iterable[Scope],
    random_bytes: Callable[[int], bytes],
    made: KeyAct | None = None,
) -> tuple[str, dict[str, Any]]:
    """A key to show once, and its entry for the file of keys."""
    key_id = random_bytes(_ID_BYTES).hex()
    text = f"wb_{key_id}_{random_bytes(_SECRET_BYTES).hex()}"
    entry = ApiKey(
        id=key_id, hash=_digest(text), tenant=tenant, scopes=frozenset(scopes), made=made
    )
    plain = entry.model_dump(mode="json", exclude_none=True)
    return text, {**plain, "scopes": sorted(plain["scopes"])}


class Gate:
    """Lets requests in: by key where keys are configured, else from this machine only."""

    def __init__(
        self,
        keys: Iterable[ApiKey] | None,
        now: Callable[[], datetime],
        partners: PartnerSecrets | None = None,
        sessions: Sessions | None = None,
    ) -> None:
        self._keys: Mapping[str, ApiKey] | None = None
        if keys is not None:
            self._keys = {key.id: key for key in keys}
        self._now = now
        self._partners = partners
        self._sessions = sessions

    @property
    def asks_for_keys(self) -> bool:
        """Whether people have to sign in; else this machine is trusted."""
        return self._keys is not None

    def admit(self, request: web.Request, scope: Scope, partner: str | None = None) -> Principal:
        """Who asks; a 401 or 403 problem where they may not.

        `partner` may come with the secret of its connection instead.
        """
        if partner is not None and self._partners is not None:
            known = self._partners.admit(request, partner)
            if known is not None:
                return known
        if self._keys is None:
            return _from_this_machine(request)
        # A page of the console reads by its session; what changes something needs the key itself,
        # which no other site's form can send.
        if request.method in _SAFE and "Authorization" not in request.headers:
            visitor = self.visitor(request)
            if visitor is not None:
                return _within(visitor, scope)
        return _within(self._by_key(request), scope)

    def admit_visitor(self, request: web.Request, scope: Scope) -> Principal:
        """Who visits the console; a 401 or 403 problem where they may not.

        What changes something has to be checked for its origin by the caller.
        """
        visitor = self.visitor(request)
        if visitor is None:
            raise Refused(UNAUTHENTICATED, "nobody is signed in", "sign in with an API key")
        return _within(visitor, scope)

    def visitor(self, request: web.Request) -> Principal | None:
        """Whose session it is; without keys, whoever asks from this machine."""
        if self._keys is None:
            return _from_this_machine(request)
        cookie = request.cookies.get(COOKIE, "")
        key = self._keys.get(cookie.partition(".")[0])
        if key is None or self._sessions is None or self._is_over(key):
            return None
        return _principal(key) if self._sessions.holds(cookie, key) else None

    def session(self, text: str) -> str:
        """The cookie of a new session for who has the key; a 401 problem else."""
        key = self._key(text.strip())
        if key is None or self._sessions is None:
            raise Refused(
                UNAUTHENTICATED,
                "this is no API key that is valid here",
                "use a key that has not expired, the whole of it: `wb_...`",
            )
        return self._sessions.sealed(key)

    def _key(self, text: str) -> ApiKey | None:
        found = re.fullmatch(r"wb_([A-Za-z0-9-]{1,64})_([!-~]{1,256})", text)
        key = (self._keys or {}).get(found[1]) if found else None
        # An unknown id costs the same as a wrong secret: nobody learns which ids there are.
        fits = hmac.compare_digest(_digest(text), key.hash if key else "0" * 64)
        return key if key is not None and fits and not self._is_over(key) else None

    def _by_key(self, request: web.Request) -> Principal:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        key = self._key(text.strip())
        if scheme.lower() != "bearer" or key is None:
            raise Refused(
                UNAUTHENTICATED,
                "the request has no API key that is valid here",
                "send `Authorization: Bearer wb_...` with a key that has not expired",
                headers={"WWW-Authenticate": 'Bearer realm="waybill"'},
            )
        if TENANT_HEADER in request.headers:
            raise Refused(
                BAD_HEADER,
                f"the header {TENANT_HEADER} is not allowed where keys are in use",
                "leave it out: the key says which tenant it is for",
            )
        return _principal(key)

    def _is_over(self, key: ApiKey) -> bool:
        return key.revoked is not None or (key.expires is not None and key.expires <= self._now())


def _principal(key: ApiKey) -> Principal:
    return Principal(key.tenant, key.scopes, key.actor or f"key:{key.id}")


def _within(principal: Principal, scope: Scope) -> Principal:
    if not principal.may(scope):
        raise Refused(
            MISSING_SCOPE,
            f"this needs the scope {scope.value!r}",
            "use a key that has the scope",
        )
    return principal


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _from_this_machine(request: web.Request) -> Principal:
    """A browser must not be led here by another site: the name asked for has to be local."""
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "none")
    if not _is_local(request.url.host) or (
        site not in {"none", "same-origin"} or (origin is not None and not _same(origin, request))
    ):
        raise Refused(
            FOREIGN_HOST,
            "without API keys only programs and pages of this machine may ask",
            "ask by 127.0.0.1 or localhost, or set WAYBILL_API_KEYS",
        )
    tenant = request.headers.get(TENANT_HEADER, DEFAULT_TENANT)
    if re.fullmatch(TENANT_PATTERN, tenant) is None:
        raise Refused(
            BAD_HEADER,
            f"{TENANT_HEADER} does not name a tenant",
            "use at most 64 letters, digits, points, dashes and underscores",
        )
    return Principal(tenant, frozenset(Scope), "local")


def _is_local(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def _same(origin: str, request: web.Request) -> bool:
    try:
        return URL(origin).origin() == request.url.origin()
    except ValueError:
        return False
