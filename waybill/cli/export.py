"""Writing orders into files and pipes: JSON lines, CSV and Parquet, row by row as they come."""

import csv
import importlib
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from projections.export_columns import EXPORTED
from waybill.cli.output import ReportedError, problem

Row: TypeAlias = Mapping[str, Any]

FORMATS = ("jsonl", "csv", "parquet")
_NAMES = tuple(one.name for one in EXPORTED)
_AT_ONCE = 10_000
"""Rows of one group of a Parquet file."""


def export(rows: Iterable[Row], form: str, output: Path | None) -> None:
    """Write all rows to the file, or to standard output; a file is there once it is complete."""
    if form == "parquet":
        arrow, parquet = _pyarrow()
        if output is None and sys.stdout.isatty():
            remedy = "give --output FILE, or send it through a pipe"
            raise ReportedError(problem("binary_output", "Parquet is no text", remedy, "--output"))
        with _opened(output) as target:
            _write_parquet(rows, target, arrow, parquet)
        return
    write = _write_csv if form == "csv" else _write_lines
    with _opened(output) as target:
        write(rows, target)


@contextmanager
def _opened(output: Path | None) -> Iterator[BinaryIO]:
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = output.with_name(f"{output.name}.part")
    try:
        with part.open("wb") as target:
            yield target
        part.replace(output)
    except OSError as error:
        detail = f"{output} cannot be written: {error.strerror or error}"
        remedy = "choose another file"
        raise ReportedError(problem("not_written", detail, remedy, "--output")) from None
    finally:
        part.unlink(missing_ok=True)


def _write_lines(rows: Iterable[Row], target: BinaryIO) -> None:
    target.writelines(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _write_csv(rows: Iterable[Row], target: BinaryIO) -> None:
    """As RFC 4180 has it, with a line of names; what is missing is empty."""
    text = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
    writer = csv.DictWriter(text, _NAMES, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    text.detach()


def _write_parquet(rows: Iterable[Row], target: BinaryIO, arrow: Any, parquet: Any) -> None:
    kinds = {
        "text": arrow.string(),
        "number": arrow.int64(),
        "moment": arrow.timestamp("us", tz="UTC"),
    }
    schema = arrow.schema(
        [
            arrow.field(one.name, kinds[one.kind], metadata={"description": one.description})
            for one in EXPORTED
        ]
    )
    left = iter(rows)
    with parquet.ParquetWriter(target, schema) as writer:
        while group := list(islice(left, _AT_ONCE)):
            columns = [[_value(row.get(one.name), one.kind) for row in group] for one in EXPORTED]
            arrays = [
                arrow.array(column, type=field.type)
                for column, field in zip(columns, schema, strict=True)
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))


def _value(value: Any, kind: str) -> Any:
    return datetime.fromisoformat(value) if kind == "moment" and value is not None else value


def _pyarrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ReportedError(
            problem(
                "extra_missing",
                "Parquet files are written by pyarrow, which is not installed",
                "install it with `pip install 'waybill[parquet]'`, or use --format csv",
                "--format",
            )
        ) from None
