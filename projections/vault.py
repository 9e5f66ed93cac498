"""The vault: one data key per data subject, wrapped by the tenant's key.

It lies outside the rebuilt tables: destroying a key erases what the log holds of its subject.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy import Connection, bindparam, delete, func, select

from projections.moments import microseconds
from projections.store import DATA_KEYS, Store
from projections.tables import insert_into
from streams.core.sealing import (
    KEY_BYTES,
    NONCE_BYTES,
    DataKey,
    TenantKeys,
    UnsealingError,
    unwrap,
    wrap,
)

_AT_ONCE = 500
_REMEMBERED = 20_000
_ID_BYTES = 16
FORGOTTEN_AFTER = timedelta(seconds=30)
"""How long a key that another process has destroyed may still be used by this one."""


class VaultKeyError(Exception):
    """The tenant keys in use do not fit the store; `code` says in which way."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, repr=False)
class _Held:
    key: DataKey
    since: datetime


class Vault:
    """May be called from any thread; every call may wait for the database."""

    def __init__(
        self,
        store: Store,
        tenant_keys: Mapping[str, TenantKeys],
        random_bytes: Callable[[int], bytes],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._tenant_keys = tenant_keys
        self._random_bytes = random_bytes
        self._now = now
        self._held: OrderedDict[tuple[str, str], _Held] = OrderedDict()
        self._lock = Lock()
        self._look_up = select(DATA_KEYS.c.subject, DATA_KEYS.c.id, DATA_KEYS.c.wrapped).where(
            DATA_KEYS.c.tenant == bindparam("tenant"),
            DATA_KEYS.c.subject.in_(bindparam("subjects", expanding=True)),
        )

    def check(self) -> None:
        """`VaultKeyError` unless the keys in use open what the store holds, for every tenant."""
        with self._store.reader.begin() as connection:
            first = select(
                DATA_KEYS.c.tenant, func.min(DATA_KEYS.c.subject).label("subject")
            ).group_by(DATA_KEYS.c.tenant)
            samples = connection.execute(first).all()
            for tenant, subject in samples:
                self._read(connection, tenant, [subject])

    def at_hand(self, tenant: str, subjects: Iterable[str]) -> dict[str, DataKey]:
        """The keys of those subjects that are in memory; does not wait for the database."""
        return self._from_memory(tenant, subjects)[0]

    def made(self, tenant: str, subjects: list[str]) -> dict[str, DataKey]:
        """Keys for subjects that had none just now; where another process was first, its keys."""
        keys = self._keys_of(tenant)
        since = self._now()
        rows = [
            {
                "tenant": tenant,
                "subject": subject,
                "id": self._random_bytes(_ID_BYTES).hex(),
                "wrapped": wrap(
                    keys, subject, self._random_bytes(KEY_BYTES), self._random_bytes(NONCE_BYTES)
                ),
                "created": microseconds(since),
            }
            # Everybody locks in the same order, so that two batches cannot wait for each other.
            for subject in sorted(subjects)
        ]
        with self._store.durable.begin() as connection:
            connection.execute(
                insert_into(DATA_KEYS, connection.dialect).on_conflict_do_nothing(), rows
            )
            # Read back: where another process was first, its key is the one.
            found = self._read(connection, tenant, subjects)
        self._hold(tenant, found, since)
        return found

    def existing(self, tenant: str, subjects: Iterable[str]) -> dict[str, DataKey]:
        """The keys of those subjects that have one; an erased subject has none."""
        found, missing = self._from_memory(tenant, subjects)
        return found | self._stored(tenant, missing) if missing else found

    def destroy(self, tenant: str, subject: str) -> bool:
        """Erase the subject: nothing sealed for it can be read again. False where it has no key.

        Other processes forget it within `FORGOTTEN_AFTER`.
        """
        with self._store.durable.begin() as connection:
            gone = connection.execute(
                delete(DATA_KEYS).where(
                    DATA_KEYS.c.tenant == tenant, DATA_KEYS.c.subject == subject
                )
            )
        with self._lock:
            self._held.pop((tenant, subject), None)
        return gone.rowcount == 1

    def _from_memory(
        self, tenant: str, subjects: Iterable[str]
    ) -> tuple[dict[str, DataKey], list[str]]:
        found: dict[str, DataKey] = {}
        missing: dict[str, None] = {}
        oldest = self._now() - FORGOTTEN_AFTER
        with self._lock:
            for subject in subjects:
                held = self._held.get((tenant, subject))
                if held is not None and held.since > oldest:
                    found[subject] = held.key
                else:
                    missing[subject] = None
        return found, list(missing)

    def _stored(self, tenant: str, subjects: list[str]) -> dict[str, DataKey]:
        since = self._now()
        with self._store.reader.begin() as connection:
            found = self._read(connection, tenant, subjects)
        self._hold(tenant, found, since)
        return found

    def _read(self, connection: Connection, tenant: str, subjects: list[str]) -> dict[str, DataKey]:
        keys = self._keys_of(tenant)
        found: dict[str, DataKey] = {}
        for start in range(0, len(subjects), _AT_ONCE):
            part = {"tenant": tenant, "subjects": subjects[start : start + _AT_ONCE]}
            for subject, key_id, wrapped in connection.execute(self._look_up, part):
                try:
                    secret = unwrap(keys, subject, wrapped)
                except UnsealingError as problem:
                    raise VaultKeyError(
                        "key_wrong",
                        f"The key of tenant {tenant} is not the one that its data was sealed "
                        "with. Put back the file that WAYBILL_KEYS named before.",
                    ) from problem
                found[subject] = DataKey(key_id, subject, secret)
        return found

    def _keys_of(self, tenant: str) -> TenantKeys:
        try:
            return self._tenant_keys[tenant]
        except KeyError:
            raise VaultKeyError(
                "key_missing",
                f"There is no key for tenant {tenant}. Add it to the file in WAYBILL_KEYS.",
            ) from None

    def _hold(self, tenant: str, keys: Mapping[str, DataKey], since: datetime) -> None:
        with self._lock:
            for subject, key in keys.items():
                self._held[tenant, subject] = _Held(key, since)
                self._held.move_to_end((tenant, subject))
            while len(self._held) > _REMEMBERED:
                self._held.popitem(last=False)
