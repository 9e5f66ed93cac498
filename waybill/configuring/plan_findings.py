"""What a plan has found about the draft itself: where it does not do what it seems to say."""

from collections.abc import Iterator

from schemas.configuration import Configuration, PluginEntry
from streams.core.matrix import override_words
from streams.core.plan import ChangeKind, ExpressionUse, OverrideUse, Plan
from waybill.configuration_checks import Path, placed_entries
from waybill.documents import pointer
from waybill.findings import Finding, Severity

_NEVER = {
    "when": ("never_matches", "the condition holds for none of {} orders: the step never runs"),
    "items": ("takes_no_items", "the filter takes no item of any of {} orders"),
    "map": ("picks_nothing", "the expression picks nothing from any of {} orders"),
}


def plan_findings(plan: Plan, configuration: Configuration) -> Iterator[Finding]:
    """Warnings with the path of the entry or override; none where no order was replayed."""
    if not plan.orders:
        return
    for use in plan.expressions:
        for path in _paths(use, configuration):
            yield from _of_expression(use, path, plan.orders)
    for found in plan.overrides:
        if not found.orders:
            yield _of_override(found, configuration, plan.orders)
    refused = plan.kinds[ChangeKind.REFUSED]
    if refused:
        message = f"{refused} of the last {plan.orders} orders would be refused"
        yield _warning("orders_refused", (), message, "see the changes for the reasons")


def _of_expression(use: ExpressionUse, path: Path, orders: int) -> Iterator[Finding]:
    known = use.orders - use.open
    if not use.orders:
        message = f"none of the last {orders} orders comes by here"
        yield _warning("not_reached", path, message, "check the overrides, or leave it")
    if use.fails:
        message = f"{use.error}: so it is with {use.fails} of {use.orders} orders"
        yield _warning(f"{use.member}_fails", path, message, "let it fit all orders")
    if known and use.no == known:
        code, message = _NEVER[use.member]
        yield _warning(code, path, message.format(known), "check it against a real order")
    if known and use.member == "when" and use.yes == known:
        message = f"the condition holds for all of {known} orders"
        yield _warning("always_matches", path, message, "leave it out, if that is what is meant")


def _of_override(found: OverrideUse, configuration: Configuration, orders: int) -> Finding:
    words = override_words(configuration.overrides[found.override]) or "every order"
    return _warning(
        "override_unused",
        ("overrides", found.override),
        f"none of the last {orders} orders falls under this override ({words})",
        "check its values against a real order, or leave it for those to come",
    )


def _paths(use: ExpressionUse, configuration: Configuration) -> Iterator[Path]:
    """Where the expression stands."""
    for path, entry in placed_entries(configuration):
        if entry.name == use.plugin and _text(entry, use) == use.expression:
            yield (*path, use.member) if use.name is None else (*path, use.member, use.name)


def _text(entry: PluginEntry, use: ExpressionUse) -> str | None:
    if use.member == "map":
        return (entry.map or {}).get(use.name or "")
    return entry.when if use.member == "when" else entry.items


def _warning(code: str, path: Path, message: str, remedy: str) -> Finding:
    return Finding(
        code=code,
        message=message,
        remedy=remedy,
        severity=Severity.WARNING,
        path=pointer(path),
    )
