"""`config plan` and `config matrix`: what a configuration does, before it does it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from plugins.registry import Registry
from schemas.connections import Connections
from waybill.cli.api_client import Api
from waybill.cli.configuration_versions import AT, finding_of, placed
from waybill.cli.output import (
    ReportedError,
    console,
    emit,
    json_option,
    problem,
    show_findings,
    table,
)
from waybill.configuration import DEFAULT_TENANT
from waybill.configuring.drafts import Drafting
from waybill.configuring.matrices import matrix_view
from waybill.progress import Shown
from waybill.settings import load_settings

KINDS = {
    "same": "stay as they are",
    "route": "take another route",
    "settings": "pass the same steps with other settings",
    "refused": "would be refused",
    "taken": "would no longer be refused",
}

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_file)
@click.option(
    "--last",
    type=click.IntRange(1, 10_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="So many of the newest orders.",
)
@json_option
def plan(file: Path, last: int, *, json_output: bool) -> None:
    """Show what FILE would do to the last orders, had they come with it.

    Nobody is called, and nothing is written.
    """
    with Api(load_settings()) as api, Shown(json_output=json_output, what="orders") as shown:
        try:
            found = _replayed(api.post_lines(f"{AT}/plan", file.read_bytes(), last=last), shown)
        except ReportedError as reported:
            if json_output:
                raise
            raise ReportedError(placed(reported.problem, file), reported.exit_code) from None
    if json_output:
        emit(found)
        return
    _show_plan(found)
    show_findings(finding_of(one, file) for one in found["findings"])


@click.command()
@click.argument("file", type=_file, required=False)
@click.option("--version", type=click.IntRange(1), metavar="N", help="An older version.")
@click.option("--order-type", metavar="TYPE", help="Only this one.")
@click.option("--processing-type", metavar="TYPE", help="Only this one, named or not.")
@click.option("--offer-type", metavar="TYPE", help="Only this one, named or not.")
@json_option
def matrix(file: Path | None, version: int | None, *, json_output: bool, **fixed: str) -> None:
    """Show which sequence each combination of types gets, and why.

    Of FILE, without the API, else of the version in use. `*` is every type that no override names.
    """
    found = _of_version(version, fixed) if file is None else _of_file(file, fixed)
    if json_output:
        emit(found)
        return
    axes = ("order_type", "processing_type", "offer_type")
    rows = [
        (*(one[axis] for axis in axes), _steps(one["steps"]) or "nothing", one["why"])
        for one in found["cells"]
    ]
    console().print(table("order type", "processing", "offer", "steps", "why", rows=rows))


def _replayed(lines: Iterator[Mapping[str, Any]], shown: Shown) -> Mapping[str, Any]:
    for line in lines:
        if "plan" in line:
            found: Mapping[str, Any] = line["plan"]
            return found
        shown.said("replaying", line["done"], line["of"])
    raise ReportedError(problem("incomplete", "the API broke off", "try again"), exit_code=3)


def _of_version(version: int | None, fixed: Mapping[str, str]) -> dict[str, Any]:
    with Api(load_settings()) as api:
        return api.get(f"{AT}/matrix", version=version, **fixed)


def _of_file(file: Path, fixed: Mapping[str, str]) -> dict[str, Any]:
    drafting = Drafting(Registry.found(), Connections({}))
    draft = drafting.read(file.read_text("utf-8-sig"), DEFAULT_TENANT, str(file))
    return {"version": None, **matrix_view(draft.usable, fixed)}


def _show_plan(found: Mapping[str, Any]) -> None:
    shown = console()
    shown.print(f"{found['orders']:,} orders, compared with version {found['version']}:")
    for kind, words in KINDS.items():
        if found[kind]:
            shown.print(f"  {found[kind]:>7,} {words}")
    if found["changes"]:
        rows = [
            (one["orders"], one["kind"], " / ".join(one["axes"].values()), said(one), example)
            for one in found["changes"]
            for example in one["examples"][:1]
        ]
        shown.print(table("orders", "change", "types", "what", "for example", rows=rows))
    moved = [one for one in found["steps"] if one["gained"] or one["lost"]]
    if moved:
        names = ("step", "before", "after", "gained", "lost")
        shown.print(table(*names, rows=[[one[name] for name in names] for one in moved]))


def said(change: Mapping[str, Any]) -> str:
    """What changes for those orders, in a line."""
    if change["refusal"]:
        return f"{change['refusal']['code']}: {change['refusal']['message']}"
    parts = [f"+{step}" for step in change["added"]] + [f"-{step}" for step in change["removed"]]
    parts += [f"{step} moves" for step in change["moved"]]
    parts += [f"{step}: {', '.join(names)}" for step, names in change["settings"].items()]
    return ", ".join(parts) or "conditions that read what is not known yet"


def _steps(steps: list[Mapping[str, Any]]) -> str:
    main = " > ".join(one["id"] for one in steps if one["phase"] == "main")
    post = " > ".join(one["id"] for one in steps if one["phase"] == "post")
    return f"{main} | {post}" if post else main
