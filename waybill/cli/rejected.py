"""`rejected`: what was not taken, why, and sending it again when the cause is gone."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from projections.audit import AuditKind
from streams.core.sealing import UnsealingError
from streams.kafka.admin import Cluster
from streams.topics import Topics
from waybill.cli.output import ReportedError, console, emit, json_option, plain, problem, table
from waybill.embedded.broker import running_bootstrap
from waybill.keys import load_keys
from waybill.local_acts import LocalAct, LocalActs, local_acts
from waybill.rejected import Rejected, Replay, read_rejected, replaying
from waybill.settings import Settings, load_settings

_MOMENT = click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"])


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--to", metavar="TIME", type=_MOMENT, help="Rejected before, with offset."),
        click.option("--from", "from_", metavar="TIME", type=_MOMENT, help="Rejected at or after."),
        click.option("--tenant", help="Of this tenant."),
        click.option("--code", help="With this code."),
    ):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class _Place:
    """Where rejected records are."""

    settings: Settings
    cluster: Cluster
    topics: Topics

    @property
    def topic(self) -> str:
        """`orders-rejected`, by its real name."""
        return self.topics.orders_rejected

    def read(self, wanted: Callable[[Rejected], bool]) -> list[Rejected]:
        """Those that are wanted, in the order in which they were rejected."""

        async def reading() -> list[Rejected]:
            found = read_rejected(self.cluster, self.topic)
            return [one async for one in found if wanted(one)]

        return sorted(asyncio.run(reading()), key=lambda one: one.at)

    def keys(self) -> Any:
        """What opens them."""
        return load_keys(self.settings.keys, create=False)


@click.group()
def rejected() -> None:
    """See what was not taken and why, and send it again."""


@rejected.command("list")
@_filters
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many.")
@json_option
def list_rejected(*, limit: int, json_output: bool, **given: Any) -> None:
    """List rejected records, the newest first."""
    found = _place().read(_wanted((), given))
    shapes = [one.shape() for one in reversed(found[-limit:])]
    if json_output:
        emit({"items": shapes, "found": len(found)})
        return
    if not shapes:
        click.echo("No such records.")
        return
    names = ("place", "at", "tenant", "code", "reason", "origin")
    rows = [[plain(shape[name])[:120] for name in names] for shape in shapes]
    console().print(table(*names, rows=rows))
    if len(found) > limit:
        click.echo(f"and {len(found) - limit} more")


@rejected.command()
@click.argument("place", metavar="PLACE")
@click.option("--content", is_flag=True, help="Print the original: it may hold personal data.")
@json_option
def show(place: str, *, content: bool, json_output: bool) -> None:
    """Show one rejected record.

    PLACE is partition/offset, as `waybill rejected list` shows it.
    """
    at = _place()
    [one] = _all_there(at.read(_wanted((place,), {})), (place,))
    if content:
        with local_acts(at.settings) as acts, acts.kept(_act(one, "read")):
            original = _opened(one, at.keys())
    else:
        original = _opened(one, at.keys())
    shape = {**one.shape(), "bytes": len(original.value)}
    if content:
        shape["content"] = original.value.decode(errors="replace")
        shape["headers"] = {n: (v or b"").decode(errors="replace") for n, v in original.headers}
    if json_output:
        emit(shape)
        return
    for name, value in shape.items():
        click.echo(f"{name:<8} {value if name == 'content' else plain(value)}")


@rejected.command()
@click.argument("places", nargs=-1, metavar="[PLACE]...")
@_filters
@click.option("--yes", is_flag=True, help="Do not ask whether these are meant.")
@click.option("--reason", required=True, help="Why; it stays in the audit.")
@json_option
def replay(
    places: tuple[str, ...], *, yes: bool, reason: str, json_output: bool, **given: Any
) -> None:
    """Send originals again, to the topics that they came from.

    Name them by their places, or say by options which are meant. Sent again and again, an order
    is still taken once.
    """
    if bool(places) == any(value is not None for value in given.values()):
        raise click.UsageError("Name records by their places, or say by options which are meant.")
    at = _place()
    found = at.read(_wanted(places, given))
    if places:
        _all_there(found, places)
    if not yes and found:
        _confirm(found, as_json=json_output)
    with local_acts(at.settings) as acts:
        sent = asyncio.run(_replayed(at, found, acts, reason))
    if json_output:
        emit({"sent": sent})
    else:
        click.echo(f"{len(sent)} sent again; what is refused anew is listed anew")


async def _replayed(at: _Place, found: list[Rejected], acts: LocalActs, reason: str) -> list[str]:
    async with replaying(at.cluster, at.topic, at.keys()) as replay_:
        for one in found:
            with acts.kept(_act(one, "replay", reason)):
                await _sent(at, replay_, one)
    return [one.place for one in found]


async def _sent(at: _Place, replay_: Replay, one: Rejected) -> None:
    if one.topic not in {at.topics.orders, at.topics.order_commands}:
        detail = f"{one.place} came neither from orders nor from order-commands"
        raise ReportedError(problem("no_origin", detail, "see `origin`; send it by hand"))
    try:
        await replay_.send(one)
    except UnsealingError as error:
        raise _sealed(error) from None


def _act(one: Rejected, action: str, reason: str | None = None) -> LocalAct:
    """As the API keeps it, by the name that a record has there."""
    details = {"code": one.told.get("code"), "edited": False} if action == "replay" else {}
    return LocalAct(
        kind=AuditKind.REJECTED,
        action=action,
        subject=one.place.replace("/", "-"),
        tenant=one.tenant,
        reason=reason,
        details=details,
    )


def _confirm(found: list[Rejected], *, as_json: bool) -> None:
    codes = ", ".join(sorted({one.told.get("code", "?") for one in found}))
    if as_json or not click.get_text_stream("stdin").isatty():
        detail = f"{len(found)} records ({codes}) would be sent again, unconfirmed"
        raise ReportedError(problem("unconfirmed", detail, "add --yes if these are meant"))
    click.confirm(f"Send {len(found)} records ({codes}) again?", abort=True)


def _wanted(places: tuple[str, ...], given: dict[str, Any]) -> Callable[[Rejected], bool]:
    since, until = given.get("from_"), given.get("to")

    def wanted(one: Rejected) -> bool:
        return (
            (not places or one.place in places)
            and given.get("code") in {None, one.told.get("code")}
            and given.get("tenant") in {None, one.tenant}
            and (since is None or one.at >= since)
            and (until is None or one.at < until)
        )

    return wanted


def _all_there(found: list[Rejected], places: tuple[str, ...]) -> list[Rejected]:
    missing = sorted(set(places) - {one.place for one in found})
    if missing:
        detail = f"no rejected record is at {missing[0]}"
        raise ReportedError(problem("not_found", detail, "see `waybill rejected list`"))
    return found


def _opened(one: Rejected, keys: Any) -> Any:
    try:
        return one.original(keys)
    except UnsealingError as error:
        raise _sealed(error) from None


def _sealed(error: UnsealingError) -> ReportedError:
    return ReportedError(problem("key_wrong", str(error), "use the file of keys of that time"))


def _place() -> _Place:
    settings = load_settings()
    bootstrap = settings.kafka or running_bootstrap(settings.data)
    if bootstrap is None:
        remedy = "name a Kafka in WAYBILL_KAFKA, or run `waybill up`"
        detail = f"there is no Kafka: none is set, and none runs on {settings.data}"
        raise ReportedError(problem("no_kafka", detail, remedy), exit_code=3)
    cluster = Cluster(bootstrap, settings.kafka_security, embedded=settings.kafka is None)
    return _Place(settings, cluster, Topics(settings.topic_prefix))
