"""What is done past the API is in the audit, written before it is done, or it is not done."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from projections.audit import INSTALLATION, Audit, AuditKind
from projections.audit_queries import AuditFilters, AuditQueries
from projections.store import Birth, Store
from waybill.cli.output import ReportedError, problem
from waybill.local_acts import LocalAct, UnkeptError, local_acts
from waybill.settings import Settings, operator_name

ACT = LocalAct(
    kind=AuditKind.REJECTED, action="replay", subject="3-14", tenant="acme", reason="because"
)
REBUILD = LocalAct(kind=AuditKind.VIEWS, action="rebuild", subject="views")


def settings(url: str) -> Settings:
    return Settings.from_environment({"WAYBILL_DATABASE": url})


@pytest.fixture
def store(database_url: str) -> Store:
    made = Store.open(database_url)
    made.certify(Birth(8, "murmur2"))
    return made


def entries(store: Store, tenant: str, cursor: str | None = None, limit: int = 50) -> list[str]:
    """Action, outcome and code of each, page by page."""
    page = AuditQueries(store).audit(tenant, AuditFilters(), cursor, limit)
    found = [f"{one['action']} {one['outcome']} {one['code']}" for one in page["items"]]
    following = page["next"]
    return found if following is None else found + entries(store, tenant, following, limit)


def test_an_act_is_written_down_before_it_is_done_and_settled_after(
    store: Store, database_url: str
) -> None:
    with local_acts(settings(database_url)) as acts:
        with acts.kept(ACT):
            assert entries(store, "acme") == ["replay asked None"]
        assert entries(store, "acme") == ["replay done None"]
        with pytest.raises(ReportedError), acts.kept(ACT):
            raise ReportedError(problem("no_origin", "from nowhere", "by hand"))
        with pytest.raises(KeyboardInterrupt), acts.kept(ACT):
            raise KeyboardInterrupt
    said = entries(store, "acme")
    assert said == ["replay asked None", "replay refused no_origin", "replay done None"]
    [*_, first] = AuditQueries(store).audit("acme", AuditFilters())["items"]
    assert (first["actor"], first["reason"]) == (f"cli:{operator_name()}", "because")
    assert entries(store, "default") == []


def test_what_is_done_to_all_tenants_is_in_the_audit_of_each(
    store: Store, database_url: str
) -> None:
    with local_acts(settings(database_url)) as acts:
        for act in (ACT, REBUILD, ACT, REBUILD, REBUILD):
            with acts.kept(act):
                pass
    whole = [f"{name} done None" for name in ("rebuild", "rebuild", "replay", "rebuild", "replay")]
    for limit in (1, 2, 50):
        assert entries(store, "acme", limit=limit) == whole
    assert entries(store, "default", limit=1) == ["rebuild done None"] * 3
    assert [tenant for tenant, _ in Audit(store).of_kind(AuditKind.VIEWS)] == [INSTALLATION] * 3


def lost(url: str) -> None:
    path = Path(url.removeprefix("sqlite:///"))
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE audit")
    connection.execute("CREATE TABLE audit (id TEXT)")
    connection.close()


@pytest.mark.parametrize(
    "broken",
    [
        lambda _: None,
        lambda url: Store.open(url).close(),
        lambda url: Path(url.removeprefix("sqlite:///")).write_text("not a database" * 99),
    ],
)
def test_where_the_audit_is_not_nothing_is_done(
    tmp_path: Path, broken: Callable[[str], object]
) -> None:
    url = f"sqlite:///{tmp_path / 'other.sqlite'}"
    broken(url)
    with pytest.raises(UnkeptError), local_acts(settings(url)):
        pytest.fail("it went on")


def test_an_act_that_cannot_be_written_down_is_not_done(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'waybill.sqlite'}"
    made = Store.open(url)
    made.certify(Birth(8, "murmur2"))
    made.close()
    with local_acts(settings(url)) as acts:
        lost(url)
        with pytest.raises(UnkeptError), acts.kept(ACT):
            pytest.fail("it was done")
