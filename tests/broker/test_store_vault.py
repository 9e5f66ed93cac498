"""Data keys: one per subject however many ask at once, gone for good when destroyed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from projections.store import Store
from projections.vault import FORGOTTEN_AFTER, Vault, VaultKeyError
from streams.core.sealing import DataKey, TenantKeys, seal, unseal
from waybill.clock import random_bytes

KEYS = {
    "default": TenantKeys.derived_from(b"1" * 32),
    "other": TenantKeys.derived_from(b"2" * 32),
}
SUBJECTS = [f"subject-{number}" for number in range(700)]


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def vault(store: Store, clock: Clock) -> Vault:
    return Vault(store, KEYS, random_bytes, clock)


def keys_for(vault: Vault, tenant: str, subjects: list[str]) -> dict[str, DataKey]:
    found = vault.existing(tenant, subjects)
    new = [subject for subject in subjects if subject not in found]
    return {**found, **vault.made(tenant, new)} if new else found


def test_a_subject_keeps_its_key_in_every_process(
    database_url: str, vault: Vault, clock: Clock
) -> None:
    made = keys_for(vault, "default", SUBJECTS)
    assert list(made) != []
    assert set(made) == set(SUBJECTS)
    assert len({key.secret for key in made.values()}) == len(SUBJECTS)
    again = Store.open(database_url)
    elsewhere = Vault(again, KEYS, random_bytes, clock)
    assert keys_for(elsewhere, "default", SUBJECTS) == made
    assert elsewhere.existing("default", SUBJECTS) == made
    again.close()


def test_processes_that_create_the_same_keys_at_once_end_with_one_each(
    database_url: str, clock: Clock
) -> None:
    at_once = 4
    stores = [Store.open(database_url) for _ in range(at_once)]
    barrier = Barrier(at_once)

    def create(number: int) -> dict:
        vault = Vault(stores[number], KEYS, random_bytes, clock)
        subjects = SUBJECTS[:200] if number % 2 else SUBJECTS[199::-1]
        barrier.wait()
        return keys_for(vault, "default", subjects)

    with ThreadPoolExecutor(at_once) as pool:
        results = list(pool.map(create, range(at_once)))
    assert all(result == results[0] for result in results)
    assert len(results[0]) == 200
    for store in stores:
        store.close()


def test_tenants_do_not_share_keys(vault: Vault) -> None:
    ours, theirs = (keys_for(vault, tenant, ["s"])["s"] for tenant in ("default", "other"))
    assert ours.secret != theirs.secret


def test_asking_for_existing_keys_creates_none(vault: Vault) -> None:
    assert vault.existing("default", ["s"]) == {}
    made = keys_for(vault, "default", ["s"])
    assert vault.existing("default", ["s", "t"]) == made
    assert keys_for(vault, "default", []) == {}


def test_after_a_key_is_destroyed_nothing_sealed_with_it_opens(
    database_url: str, vault: Vault, clock: Clock
) -> None:
    key = keys_for(vault, "default", ["s"])["s"]
    sealed = seal({"email": "ada@example.org"}, "order-1", key, b"n" * 12)
    assert unseal(sealed, "order-1", key) == {"email": "ada@example.org"}
    second = Store.open(database_url)
    elsewhere = Vault(second, KEYS, random_bytes, clock)
    assert elsewhere.existing("default", ["s"]) == {"s": key}
    assert vault.destroy("default", "s")
    assert not vault.destroy("default", "s")
    assert vault.existing("default", ["s"]) == {}
    clock.at += FORGOTTEN_AFTER + timedelta(seconds=1)
    assert elsewhere.existing("default", ["s"]) == {}
    assert keys_for(elsewhere, "default", ["s"])["s"].id != key.id
    second.close()


def test_workers_are_refused_with_another_key_than_the_one_in_use(
    store: Store, vault: Vault, clock: Clock
) -> None:
    vault.check()
    keys_for(vault, "default", ["s"])
    vault.check()
    wrong = {"default": TenantKeys.derived_from(b"3" * 32)}
    with pytest.raises(VaultKeyError) as refused:
        Vault(store, wrong, random_bytes, clock).check()
    assert refused.value.code == "key_wrong"
    with pytest.raises(VaultKeyError) as refused:
        Vault(store, {}, random_bytes, clock).check()
    assert refused.value.code == "key_missing"


def test_a_key_is_never_stored_in_clear(store: Store, vault: Vault) -> None:
    key = keys_for(vault, "default", ["s"])["s"]
    with store.reader.begin() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM data_keys").all()
    assert key.secret not in b"".join(value for value in rows[0] if isinstance(value, bytes))
    assert key.secret.hex() not in repr(key)
