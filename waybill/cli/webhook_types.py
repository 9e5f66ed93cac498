"""`webhook types`: what there is to subscribe to, with schemas and examples."""

import json

import click

from streams.core.webhooks.catalogue import TYPES, unknown_patterns
from streams.core.webhooks.schemas import body_schema
from waybill.cli.output import ReportedError, console, emit, json_option, problem, table
from waybill.webhook_examples import webhook_examples


@click.command()
@click.argument("name", metavar="[TYPE]", required=False)
@click.option("--thin", "payload", flag_value="thin", help="Of the thin payload.")
@click.option("--full", "payload", flag_value="full", default=True, help="Of the full one.")
@click.option("--schema", "wants_schema", is_flag=True, help="The JSON Schema, not an example.")
@json_option
def types(name: str | None, payload: str, *, wants_schema: bool, json_output: bool) -> None:
    """List the types of webhooks, or show an example of one of them."""
    if name is not None:
        shown = _one(name, payload, wants_schema=wants_schema)
        click.echo(json.dumps(shown, ensure_ascii=False, indent=None if json_output else 1))
    elif json_output:
        emit({"items": [_line(one) for one in TYPES], "next": None})
    else:
        rows = [(one.name, one.description) for one in TYPES.values()]
        console().print(table("type", "sent when", rows=rows))


def _one(name: str, payload: str, *, wants_schema: bool) -> object:
    if name not in TYPES:
        near = unknown_patterns([name]).get(name)
        raise ReportedError(
            problem(
                "unknown_event_type",
                f"there is no type {name!r}",
                f"did you mean {near!r}?" if near else "`waybill webhook types` lists them",
                "TYPE",
            )
        )
    if wants_schema:
        return body_schema(name, "thin" if payload == "thin" else "full")
    return webhook_examples()[name][payload]


def _line(name: str) -> dict[str, object]:
    told = TYPES[name]
    return {"name": name, "group": told.group, "description": told.description}
