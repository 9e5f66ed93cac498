"""Whoever reads with a newer schema reads what every older one wrote; the envelope both ways."""

import json
import warnings
from typing import Any

import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

from schemas.registry import ORDER_EVENTS, RegisteredSchema, published

PAIRS = [
    (versions[older], versions[newer])
    for versions in published().values()
    for newer in range(len(versions))
    for older in range(newer + 1)
]
EVENT_PAIRS = [pair for pair in PAIRS if pair[0].subject == ORDER_EVENTS]


def label(schema: RegisteredSchema) -> str:
    return f"{schema.subject}-{schema.version}"


def problems(reader: Any, writer: Any) -> list[str]:
    """Why `reader` cannot read what `writer` wrote, by Apache's rules."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it does not know the logical type json, and need not
        schemas = [parse(json.dumps(one)) for one in (reader, writer)]
    found = ReaderWriterCompatibilityChecker().get_compatibility(*schemas)
    fits = found.compatibility is SchemaCompatibilityType.compatible
    return [] if fits else [*found.messages, *found.locations]


def envelope(schema: RegisteredSchema) -> Any:
    """The schema less its fact: what a reader needs that looks no further."""
    given = json.loads(schema.text)
    return {**given, "fields": [one for one in given["fields"] if one["name"] != "fact"]}


@pytest.mark.parametrize(("older", "newer"), PAIRS, ids=label)
def test_a_newer_schema_reads_what_an_older_one_wrote(
    older: RegisteredSchema, newer: RegisteredSchema
) -> None:
    assert newer.compatibility == "BACKWARD_TRANSITIVE"
    assert problems(json.loads(newer.text), json.loads(older.text)) == []


@pytest.mark.parametrize(("older", "newer"), EVENT_PAIRS, ids=label)
def test_envelopes_are_read_both_ways(older: RegisteredSchema, newer: RegisteredSchema) -> None:
    assert problems(envelope(newer), envelope(older)) == []
    assert problems(envelope(older), envelope(newer)) == []


def test_a_member_without_a_default_would_be_told() -> None:
    given = json.loads(published()[ORDER_EVENTS][0].text)
    more = {**given, "fields": [*given["fields"], {"name": "more", "type": "string"}]}
    assert problems(more, given) != []


@pytest.mark.parametrize(("older", "newer"), EVENT_PAIRS, ids=label)
def test_facts_keep_their_place_in_the_union_and_new_ones_come_last(
    older: RegisteredSchema, newer: RegisteredSchema
) -> None:
    names = [
        [branch["name"] for branch in json.loads(one.text)["fields"][-1]["type"]]
        for one in (older, newer)
    ]
    assert names[1][: len(names[0])] == names[0]
