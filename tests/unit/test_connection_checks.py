"""What a check of a connection sees: partners that are not there, TLS, credentials; no secrets."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from plugins.registry import Registry
from plugins.secret_values import SecretValues
from plugins.transport import Transport
from schemas.connections import Connection, Connections
from waybill.clock import monotonic, utc_now
from waybill.connection_checks import Access, ConnectionCheck, ConnectionChecker
from waybill.partner_connections import PartnerConnections
from waybill.ports import free_port

REGISTRY = Registry.found()
ENVIRONMENT = {"KEY": "right-key-3f1c", "WRONG": "wrong-key-77aa", "ID": "client-5b"}
OAUTH = {
    "type": "oauth_client_credentials",
    "client_id": {"env": "ID"},
    "client_secret": {"env": "KEY"},
}
Check = Callable[..., Awaitable[ConnectionCheck]]


class Partner:
    """Lets in who shows the right key, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        if request.path == "/oauth/token":
            form = await request.post()
            right = form["client_secret"] == ENVIRONMENT["KEY"]
            body = {"access_token": "t"} if right else {"error": "invalid_client"}
            return web.json_response(body, status=200 if right else 401)
        if request.headers.get("Authorization") != f"Bearer {ENVIRONMENT['KEY']}":
            return web.json_response({"said": request.headers.get("Authorization")}, status=401)
        return web.json_response({}, status=self.status)


@pytest.fixture
def partner() -> Partner:
    return Partner()


@pytest.fixture
async def address(partner: Partner) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", partner.answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def checked(
    connection: dict[str, Any], *users: str, tls: ssl.SSLContext | None = None
) -> ConnectionCheck:
    transport = Transport.over_aiohttp(tls)
    checker = ConnectionChecker(transport, SecretValues(ENVIRONMENT), utc_now, monotonic, tls)
    manifests = [REGISTRY.get(name).manifest for name in users]
    try:
        return await checker.check(Connection.model_validate(connection), manifests)
    finally:
        await transport.aclose()


def codes(check: ConnectionCheck) -> list[str]:
    return [finding.code for finding in check.findings]


class TestCredentials:
    async def test_a_token_that_is_given_counts_as_accepted(
        self, partner: Partner, address: str
    ) -> None:
        found = await checked({"base_url": address, "auth": OAUTH}, "zuora")
        assert (found.credentials, found.findings) == (Access.ACCEPTED, ())
        assert found.reached
        assert partner.asked == ["POST /oauth/token"]

    async def test_a_refused_client_is_an_error_that_names_no_secret(self, address: str) -> None:
        auth = {**OAUTH, "client_secret": {"env": "WRONG"}}
        found = await checked({"base_url": address, "auth": auth}, "zuora")
        assert (found.credentials, codes(found)) == (Access.REFUSED, ["credentials_refused"])
        assert not any(secret in repr(found) for secret in ENVIRONMENT.values())

    async def test_a_fixed_token_is_tried_by_the_connectors_harmless_request(
        self, partner: Partner, address: str
    ) -> None:
        right, wrong = [
            await checked(
                {"base_url": address, "auth": {"type": "bearer", "token": {"env": name}}}, "stripe"
            )
            for name in ("KEY", "WRONG")
        ]
        assert (right.credentials, wrong.credentials) == (Access.ACCEPTED, Access.REFUSED)
        assert not any(secret in repr(wrong) for secret in ENVIRONMENT.values())
        assert partner.asked == ["GET /v1/prices"] * 2

    async def test_without_a_harmless_request_nothing_is_sent(
        self, partner: Partner, address: str
    ) -> None:
        auth = {"type": "bearer", "token": {"env": "KEY"}}
        found = await checked({"base_url": address, "auth": auth}, "entitlements")
        assert (found.credentials, found.findings) == (Access.PRESENT, ())
        assert partner.asked == []

    async def test_a_secret_that_is_not_there_is_said_with_its_reference(
        self, partner: Partner, address: str, tmp_path: Path
    ) -> None:
        missing = {"file": str(tmp_path / "secret.txt")}
        auth = {**OAUTH, "client_id": {"env": "NO_SUCH"}, "client_secret": missing}
        found = await checked({"base_url": address, "auth": auth}, "zuora")
        assert found.credentials is Access.MISSING
        assert codes(found) == ["secret_missing"] * 2
        assert "NO_SUCH" in found.findings[0].message
        assert partner.asked == []

    async def test_a_partner_in_trouble_refuses_nobody(
        self, partner: Partner, address: str
    ) -> None:
        partner.status = 500
        auth = {"type": "bearer", "token": {"env": "KEY"}}
        found = await checked({"base_url": address, "auth": auth}, "stripe")
        assert (found.credentials, codes(found)) == (Access.UNTRIED, ["credentials_untried"])

    async def test_a_connection_without_credentials_has_none(self, address: str) -> None:
        found = await checked({"base_url": address}, "entitlements")
        assert (found.credentials, found.findings) == (Access.NONE, ())


class TestReaching:
    async def test_nobody_listens(self) -> None:
        found = await checked({"base_url": f"http://127.0.0.1:{free_port()}"})
        assert (found.reached, codes(found)) == (False, ["partner_unreachable"])

    async def test_nobody_knows_the_name(self) -> None:
        found = await checked({"base_url": "http://partner.invalid"})
        assert codes(found) == ["name_unknown"]

    async def test_an_address_that_is_none(self) -> None:
        found = await checked({"base_url": "http://partner.example:port"})
        assert codes(found) == ["base_url_invalid"]

    async def test_credentials_without_tls_are_warned_of(self) -> None:
        auth = {"type": "bearer", "token": {"env": "KEY"}}
        found = await checked({"base_url": "http://partner.invalid", "auth": auth})
        assert codes(found) == ["credentials_in_clear", "name_unknown"]


class Certificate:
    """Of 127.0.0.1, signed by itself, for some days."""

    def __init__(self, folder: Path, days: int) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Harbour Test")])
        now = utc_now()
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.pem = made.public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path = folder / "both.pem"
        path.write_bytes(private + self.pem)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(path)

    @property
    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.pem.decode())


async def over_tls(certificate: Certificate, *, trusted: bool) -> ConnectionCheck:
    server = await asyncio.start_server(
        lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=certificate.server
    )
    port = server.sockets[0].getsockname()[1]
    tls = certificate.client if trusted else None
    try:
        return await checked({"base_url": f"https://localhost:{port}"}, tls=tls)
    finally:
        server.close()


class TestTls:
    async def test_who_shows_itself_and_until_when(self, tmp_path: Path) -> None:
        found = await over_tls(Certificate(tmp_path, days=90), trusted=True)
        assert found.tls is not None
        assert (found.tls.issuer, found.tls.version) == ("Harbour Test", "TLSv1.3")
        assert found.findings == ()

    async def test_a_certificate_that_ends_soon_is_a_warning(self, tmp_path: Path) -> None:
        found = await over_tls(Certificate(tmp_path, days=3), trusted=True)
        assert codes(found) == ["certificate_expires"]

    async def test_one_that_nobody_vouches_for_is_an_error(self, tmp_path: Path) -> None:
        found = await over_tls(Certificate(tmp_path, days=90), trusted=False)
        assert codes(found) == ["certificate_invalid"]

    async def test_a_partner_without_tls_is_told_from_a_bad_certificate(self, address: str) -> None:
        found = await checked({"base_url": address.replace("http:", "https:")})
        assert codes(found) == ["tls_failed"]


async def test_what_is_shown_of_a_connection_has_no_secrets_in_it(address: str) -> None:
    host = address.removeprefix("http://")
    document = {
        "base_url": f"http://user:secret-7@{host}/x?key=secret-8",
        "auth": {"type": "basic", "username": "secret-9", "password": {"env": "KEY"}},
        "headers": {"X-Api-Key": "secret-6"},
    }
    found = Connections.model_validate({"default": {"production": {"entitlements": document}}})
    transport = Transport.over_aiohttp()
    checker = ConnectionChecker(transport, SecretValues(ENVIRONMENT), utc_now, monotonic)
    book = PartnerConnections(found, REGISTRY, checker)
    assert book.listed("default")[0].status == "unchecked"
    (one,) = await book.check("default")
    await transport.aclose()
    shown = one.as_json()
    assert shown["base_url"] == f"http://{host}/x"
    assert shown["headers"] == ["X-Api-Key"]
    assert shown["secrets"] == [{"member": "auth.password", "kind": "env", "name": "KEY"}]
    assert shown["used_by"] == ["entitlements"]
    assert not any(secret in repr(shown) for secret in (*ENVIRONMENT.values(), "secret-"))
    assert book.listed("other") == []
