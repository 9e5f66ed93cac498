"""The reference pages about what lies in Kafka: topics and events."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from schemas import commands, envelope, events, steps
from schemas.registry import (
    ORDER_COMMANDS,
    ORDER_EVENTS,
    ORDERS,
    RegisteredSchema,
    latest,
    published,
)
from streams.core.order import State
from streams.topics import PARTITIONER, TOPICS, Topic
from waybill.reference.markdown import code, page, promise, table

_BYTES_PER_MIB = 1 << 20
_UNION: Final = (
    "The member `fact` holds one of the facts below; `type` repeats its name for consumers "
    "without unions."
)
HOLDS: Final[Mapping[str, str]] = {
    "orders": "Orders as they come in: JSON in Limio's shape, or Avro. Anyone writes it. It holds "
    "personal data in clear: give it short retention and access rights.",
    "order-commands": "What people and programs ask of orders and stages: JSON or Avro. The API "
    "writes it, and anyone who may.",
    "order-events": "The log: every fact about every order, Avro. Intake and workers write it.",
    "order-updates": "Acceptance, every change of state, amendments, results of steps where they "
    "are wanted, CloudEvents. The outlet writes it, and the API what shops tell of buyers.",
    "order-completed": "Orders that ended well, CloudEvents. The outlet writes it.",
    "order-failed": "Orders whose run failed, and those that were cancelled, CloudEvents; each end "
    "of a run once. The outlet writes it.",
    "orders-rejected": "Orders and commands that were not taken: their bytes sealed with the "
    "tenant's key, the reason in the headers `code`, `reason`, `remedy`, `field`, `origin`, "
    "`waybill-tenant`; the headers they came with, sealed, in `sent-headers`.",
    "processing-configs": "The processing configuration of each tenant: JSON `{tenant, version, "
    "base, author, reason, at, document, revision}`, `restated` where it was written again because "
    "it holds. Of a tenant's records the first of the highest revision holds, and is soon the "
    "last. The API writes it; workers and the API follow it.",
    "webhook-endpoints": "Webhook endpoints, their secrets sealed: JSON, `restated` where it was "
    "written again because it holds. Of an endpoint's records the first of the highest revision "
    "holds, and above all its deletion, and is soon the last. The API writes it; the API, webhooks "
    "and the outlet follow it.",
    "stage-controls": "Which stages are held, by whom and why: JSON. Workers write it for "
    "commands, and obey it.",
}
"""What each topic holds and who writes it."""

_ORDERS_HEADERS = (
    ("`waybill-tenant`", "Whose order it is; `default` where it is missing."),
    ("`waybill-identity`", "Stands in where the order has no `external_id`."),
    ("`waybill-actor`", "Who sent it, for the event's `actor`; else `kafka`."),
    ("`traceparent`", "W3C trace context; goes on to events, partners and outgoing records."),
    (
        "`waybill-config-version`",
        "The version of the configuration that was in use: the order is taken under no older one.",
    ),
)
_COMMANDS_HEADERS = (
    ("`waybill-tenant`", "Whose order or stage it is about; `default` where it is missing."),
    ("`waybill-actor`", "Who asks, for the event's `actor`; else `kafka`."),
    ("`waybill-identity`", "Names the command where it has no `id`; else its place in the topic."),
    ("`traceparent`", "W3C trace context."),
)
_CLOUD_EVENTS = (
    ("`ce_id`", "Id of the event: the same whenever the record is published again."),
    (
        "`ce_type`",
        "`waybill.order.<what>.v1`, the state that the order came into: "
        + ", ".join(code(state.value) for state in State)
        + "; or what became of it: `amended`, `reopened` (the next run of a failed order); or of a "
        "step: `step_succeeded`, `step_failed`, `step_in_doubt`, `step_skipped`, `step_deferred`, "
        "`step_compensated`, `step_compensation_failed`; `waybill.journey.<what>.v1` is what a "
        "buyer has done",
    ),
    ("`ce_source`", "`/tenants/<tenant>`"),
    ("`ce_subject`", "The order's id"),
    ("`ce_time`", "When the event happened, UTC"),
    ("`ce_partitionkey`", "The lane"),
    ("`ce_traceparent`", "W3C trace context, where there is one"),
)


def topics() -> str:
    """The page on topics."""
    rows = [
        (
            code(topic.name),
            HOLDS[topic.name],
            topic.key,
            topic.cleanup,
            _retention(topic),
            topic.partitions,
            f"{topic.max_message_bytes // _BYTES_PER_MIB} MiB",
        )
        for topic in TOPICS
    ]
    return page(
        "Topics",
        "`waybill topics` creates what is missing and checks the rest; `waybill up` does so by "
        "itself. `WAYBILL_TOPIC_PREFIX` goes before every name. The partition count of "
        f"`order-events` and its partitioner ({PARTITIONER}) are recorded in the store and never "
        "change. Start-up refuses an `order-events` that is compacted or expires, other partition "
        "counts, and message limits below 4 MiB.",
        table(("topic", "holds", "key", "cleanup", "kept", "partitions", "message"), rows),
        "## Headers of `orders`\n\nAll are optional.",
        table(("header", "meaning"), _ORDERS_HEADERS),
        "## Commands on `order-commands`\n\nThe same members in JSON and in Avro (subject "
        f"`{ORDER_COMMANDS}`), where `output` and `changes` are JSON texts. What is not taken "
        "goes to `orders-rejected`; what is taken stands in `order-events` as `CommandReceived`, "
        "and its order answers it there.",
        table(("member", "meaning"), _command_members()),
        table(("header", "meaning"), _COMMANDS_HEADERS),
        "## Headers of `order-updates`, `order-completed` and `order-failed`\n\nCloudEvents 1.0 in "
        "binary mode; the value is the order as the API shows it, with its items, the context of "
        "its steps, `sequence` and `previous_sequence`, as JSON; where it is new, amended, in "
        "doubt or at an end with `document`, the order as it was sent less its items; with a "
        "step's result in `step`. What is sealed or declared secret is not in it. "
        "[Webhooks](webhooks.md) has the members, `GET /api/asyncapi.json` their schemas.",
        table(("header", "meaning"), _CLOUD_EVENTS),
    )


def _command_members() -> Iterator[tuple[str, str]]:
    for field in orjson.loads(latest(ORDER_COMMANDS).text)["fields"]:
        yield code(field["name"]), field["doc"]


def event_pages() -> str:
    """The page on events, from the Avro schema that is published."""
    schema = orjson.loads(latest(ORDER_EVENTS).text)
    records = {record["name"]: record for record in _records(schema)}
    facts = [_named(branch) for branch in _field(schema, "fact")["type"]]
    parts = [
        _record("Envelope", {"fields": [f for f in schema["fields"] if f["name"] != "fact"]}),
        _UNION,
        f"## How facts apply\n\n{_rules()}",
        *(_record(name, records[name]) for name in facts),
        "# Records inside facts",
        *(_record(name, found) for name, found in records.items() if name not in _known(facts)),
    ]
    subjects = [(code(one.subject), one.version, one.id, one.compatibility) for one in _published()]
    return page(
        "Events",
        "One record of `order-events` is one fact about one order, as Avro in Confluent's wire "
        "format: a zero byte, the schema's id in four bytes, the record. The API serves the "
        "schemas in the shape of Confluent's registry, under `/subjects` and `/schemas/ids/{id}`. "
        f"Orders on `orders` may use the subject `{ORDERS}`.",
        table(("subject", "version", "id", "compatibility"), subjects),
        *parts,
    )


def _published() -> Iterator[RegisteredSchema]:
    for versions in published().values():
        yield from versions


def _known(facts: list[str]) -> set[str]:
    return {"OrderEvent", *facts}


def _rules() -> str:
    rows = [
        ("`OrderAccepted`", promise(events.OrderAccepted).splitlines()[0]),
        ("`CommandReceived`", promise(events.CommandReceived)),
        ("results of steps", promise(events.StepResult)),
        ("everything else", promise(events.Decided)),
    ]
    return table(("fact", "rule"), rows)


def _record(name: str, record: Mapping[str, Any]) -> str:
    modules = (events, steps, commands, envelope)
    said = next((getattr(m, name) for m in modules if hasattr(m, name)), None)
    rows = [(code(field["name"]), _type(field["type"])) for field in record["fields"]]
    text = promise(said) or record.get("doc", "")
    shown = table(("member", "type"), rows) if rows else "No members."
    return f"## {name}\n\n{text}\n\n{shown}"


def _records(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Every record that is defined anywhere in the schema, outermost first."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _records(branch)
    elif isinstance(schema, dict):
        if schema.get("type") == "record":
            yield schema
            for field in schema["fields"]:
                yield from _records(field["type"])
        else:
            yield from _records(schema.get("items") or schema.get("values"))


def _field(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(f for f in record["fields"] if f["name"] == name)
    return found


def _named(branch: Any) -> str:
    return str(branch["name"] if isinstance(branch, dict) else branch).rpartition(".")[2]


def _type(schema: Any) -> str:
    if isinstance(schema, list):
        branches = [_type(branch) for branch in schema if branch != "null"]
        return " or ".join(branches) + (", or null" if "null" in schema else "")
    if not isinstance(schema, dict):
        return str(schema).rpartition(".")[2]
    match schema["type"]:
        case "record":
            shown = str(schema["name"])
        case "array":
            shown = f"list of {_type(schema['items'])}"
        case "map":
            shown = f"map of {_type(schema['values'])}"
        case kind:
            shown = f"{kind} ({schema['logicalType']})" if "logicalType" in schema else str(kind)
    return shown


def _retention(topic: Topic) -> str:
    return "for ever" if topic.retention is None else f"{topic.retention.days} days"
