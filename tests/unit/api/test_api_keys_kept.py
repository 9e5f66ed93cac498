"""Which API keys are made, changed, revoked and taken away is in the audit, as their file tells."""

from datetime import timedelta
from typing import Any

from projections.audit import Audit, AuditKind
from tests.unit.api.conftest import NOW
from waybill.api.auth import ApiKey, KeyAct, Scope, new_api_key
from waybill.api.key_keeping import keep_keys
from waybill.api.sessions import COOKIE
from waybill.clock import random_bytes

MADE = KeyAct(at=NOW - timedelta(days=1), by="cli:ada", reason="for the shop")
REVOKED = KeyAct(at=NOW + timedelta(hours=1), by="cli:bob", reason="it leaked")


def a_key(tenant: str = "default", made: KeyAct | None = MADE) -> tuple[str, ApiKey]:
    text, entry = new_api_key(tenant, [Scope.READ, Scope.OPERATE], random_bytes, made)
    return text, ApiKey.model_validate(entry)


def kept(world: Any, subject: str) -> list[tuple[str, str, str | None]]:
    found = Audit(world.store).of_kind(AuditKind.API_KEY)
    return [(e["action"], e["actor"], e["reason"]) for _, e in found if e["subject"] == subject]


def test_a_key_is_kept_from_its_making_to_its_end(world_on_each: Any) -> None:
    world, audit = world_on_each, Audit(world_on_each.store)
    (text, key), (_, other) = a_key(), a_key("acme", None)
    for _ in range(2):
        keep_keys(audit, [key, other], NOW)
    assert kept(world, key.id) == [("made", "cli:ada", "for the shop")]
    assert kept(world, other.id) == [("made", "file", None)]
    wider = key.model_copy(update={"scopes": frozenset(Scope)})
    for _ in range(2):
        keep_keys(audit, [wider], NOW + timedelta(minutes=1))
    assert kept(world, key.id)[1:] == [("changed", "file", None)]
    assert kept(world, other.id)[1:] == [("removed", "file", None)]
    over = wider.model_copy(update={"revoked": REVOKED})
    for keys in ([over, other], [over, other], [other]):
        keep_keys(audit, keys, NOW + timedelta(hours=2))
    assert kept(world, key.id)[2:] == [("revoked", "cli:bob", "it leaked")]
    assert kept(world, other.id)[2:] == [("made", "file", None)]
    [(tenant, entry), *_] = audit.of_kind(AuditKind.API_KEY)
    assert (tenant, entry["details"]["scopes"]) == ("default", ["operate", "read"])
    secret, told = text.rsplit("_", 1)[1], str(audit.of_kind(AuditKind.API_KEY))
    assert secret not in told
    assert key.hash not in told


def test_one_that_is_revoked_before_the_audit_knows_of_it_is_kept_as_both(world: Any) -> None:
    _, key = a_key()
    keep_keys(Audit(world.store), [key.model_copy(update={"revoked": REVOKED})], NOW)
    assert [action for action, *_ in kept(world, key.id)] == ["made", "revoked"]


async def test_a_revoked_key_lets_nobody_in(world: Any, connect: Any) -> None:
    text, key = a_key()
    world.keys = [key]
    client = await connect()
    bearer = {"Authorization": f"Bearer {text}"}
    assert (await client.get("/api/orders", headers=bearer)).status == 200
    ours = {"Sec-Fetch-Site": "same-origin"}
    signed = await client.post("/login", data={"key": text}, headers=ours, allow_redirects=False)
    session = {COOKIE: signed.cookies[COOKIE].value}
    assert (await client.get("/api/orders", cookies=session)).status == 200
    world.keys = [key.model_copy(update={"revoked": REVOKED})]
    after = await connect()
    for let_in in ({"headers": bearer}, {"cookies": session}):
        assert (await after.get("/api/orders", **let_in)).status == 401
    assert (await after.get("/orders", cookies=session, allow_redirects=False)).status == 303
