"""Access tokens: fetched once for all who wait, renewed before expiry, never in a loop."""

import asyncio
import os

import httpx
import pytest

from plugins.secret_values import SecretMissingError, SecretValues
from plugins.tokens import NoToken, Token, Tokens
from plugins.transport import Transport
from schemas.connections import (
    Connection,
    OAuthAuth,
    SecretFromEnvironment,
    SecretFromFile,
)

AUTH = OAuthAuth(
    type="oauth_client_credentials",
    client_id=SecretFromEnvironment(env="ID"),
    client_secret=SecretFromEnvironment(env="SECRET"),
)
CONNECTION = Connection(base_url="https://partner.test/", auth=AUTH, headers={"Entity": "e-1"})


class Issuer:
    """Hands out t1, t2 ...; `more` are further members of the answer."""

    def __init__(self, status: int = 200, **more: object) -> None:
        self.status, self.more, self.asked = status, more, []
        self.time = 1000.0
        self.open = asyncio.Event()
        self.open.set()
        secrets = SecretValues({"ID": "client", "SECRET": "hush&hush"})
        self.tokens = Tokens(Transport(self._wire()), secrets, lambda: self.time)

    def _wire(self) -> httpx.MockTransport:
        async def answer(request: httpx.Request) -> httpx.Response:
            self.asked.append(request)
            await self.open.wait()
            document = {"access_token": f"t{len(self.asked)}", **self.more}
            return httpx.Response(self.status, json=document)

        return httpx.MockTransport(answer)

    async def get(self) -> str:
        token = await self.tokens.get(CONNECTION, AUTH, "/oauth/token", 5.0)
        return token.value if isinstance(token, Token) else token.code


async def test_the_client_credentials_grant_is_a_form_without_authorization():
    issuer = Issuer(expires_in=3600)
    await issuer.get()
    asked = issuer.asked[0]
    assert str(asked.url) == "https://partner.test/oauth/token"
    assert asked.content == (
        b"grant_type=client_credentials&client_id=client&client_secret=hush%26hush"
    )
    assert "authorization" not in asked.headers
    assert asked.headers["entity"] == "e-1"


async def test_all_who_wait_share_one_fetch_and_its_failure():
    for issuer, got in ((Issuer(), "t1"), (Issuer(status=500), "no_token")):
        issuer.open.clear()
        waiting = [asyncio.create_task(issuer.get()) for _ in range(20)]
        await asyncio.sleep(0)
        issuer.open.set()
        assert set(await asyncio.gather(*waiting)) == {got}
        assert len(issuer.asked) == 1


async def test_who_gives_up_takes_the_token_from_nobody():
    issuer = Issuer()
    issuer.open.clear()
    first, second = asyncio.create_task(issuer.get()), asyncio.create_task(issuer.get())
    await asyncio.sleep(0.01)
    first.cancel()
    issuer.open.set()
    assert await second == "t1"


@pytest.mark.parametrize(("lifetime", "kept_s"), [(3600, 3300), (100, 90), ("100", 90)])
async def test_a_token_is_renewed_shortly_before_it_expires(lifetime, kept_s):
    issuer = Issuer(expires_in=lifetime)
    await issuer.get()
    issuer.time += kept_s - 1
    assert await issuer.get() == "t1"
    issuer.time += 2
    assert await issuer.get() == "t2"


async def test_a_token_that_expires_at_once_is_used_once():
    issuer = Issuer(expires_in=0)
    assert [await issuer.get(), await issuer.get()] == ["t1", "t2"]


@pytest.mark.parametrize("more", [{}, {"expires_in": None}, {"expires_in": "soon"}])
async def test_without_expiry_a_token_is_kept_until_it_is_refused(more):
    issuer = Issuer(**more)
    await issuer.get()
    issuer.time += 1e9
    assert await issuer.get() == "t1"
    issuer.tokens.drop(Token("t1", None))
    assert await issuer.get() == "t2"


async def test_dropping_an_old_token_keeps_the_new_one():
    issuer = Issuer()
    await issuer.get()
    issuer.tokens.drop(Token("t0", None))
    assert await issuer.get() == "t1"


@pytest.mark.parametrize(
    ("status", "refused"), [(400, True), (401, True), (429, False), (503, False), (302, False)]
)
async def test_refused_credentials_are_told_from_a_bad_day(status, refused):
    issuer = Issuer(status=status, error="invalid_client", error_description="client client")
    token = await issuer.tokens.get(CONNECTION, AUTH, "/oauth/token", 5.0)
    assert isinstance(token, NoToken)
    assert token.refused is refused
    assert "invalid_client" in token.message
    assert "client client" not in token.message


async def test_waiting_for_a_token_ends_at_the_deadline():
    issuer = Issuer()
    issuer.open.clear()
    token = await issuer.tokens.get(CONNECTION, AUTH, "/oauth/token", 0.01)
    assert isinstance(token, NoToken)
    assert token.code == "deadline"
    issuer.open.set()
    await asyncio.sleep(0.01)


def test_a_secret_in_a_file_is_read_again_when_it_changes(tmp_path):
    secrets, file = SecretValues({}), tmp_path / "secret"
    file.write_text("one\n")
    reference = SecretFromFile(file=str(file))
    assert secrets.of(reference) == "one"
    file.write_text("two\n")
    os.utime(file, (2e9, 2e9))
    assert secrets.of(reference) == "two"


@pytest.mark.parametrize(
    "reference", [SecretFromEnvironment(env="NOPE"), SecretFromFile(file="/no/such/file")]
)
def test_a_missing_secret_is_named_with_its_remedy(reference):
    with pytest.raises(SecretMissingError, match=r"NOPE|/no/such/file"):
        SecretValues({}).of(reference)
