"""The commands about the views as a whole: make them anew, and compare them with the log."""

import click

from projections.audit import AuditKind
from projections.filling import LogTooShortError
from projections.proving import UnprovenSetError
from projections.rebuild import OvertakenError
from projections.writing import UndecodableRecordError
from waybill.cli.output import ReportedError, json_option, problem
from waybill.cli.processes import ENTRIES, start, with_kafka
from waybill.local_acts import LocalAct, local_acts
from waybill.settings import Settings

_REMEDIES: dict[type[Exception], tuple[str, str]] = {
    LogTooShortError: ("log_too_short", "look whether Kafka has lost records"),
    UnprovenSetError: ("views_unproven", "look at the database's disk, then rebuild again"),
    OvertakenError: ("rebuild_overtaken", "wait for the other rebuild"),
}


@click.command()
@click.option("--reason", help="Why; it stays in the audit.")
@json_option
def rebuild(*, reason: str | None, json_output: bool) -> None:
    """Build all views anew from the log.

    Orders go on meanwhile. The new views are verified, then put in the place of the old ones.
    """
    act = LocalAct(kind=AuditKind.VIEWS, action="rebuild", subject="views", reason=reason)
    settings = with_kafka(start("warning"))
    with local_acts(settings, may_be_new=True) as acts, acts.kept(act):
        _run("rebuild", settings, json_output=json_output)


@click.command()
@json_option
def verify(*, json_output: bool) -> None:
    """Prove that the views are what the log makes.

    Makes them once more in a file of its own and compares row by row, while orders go on. Ends
    with 1 where they differ, and says which tables and keys do.
    """
    _run("verify", with_kafka(start("warning")), json_output=json_output)


def _run(name: str, settings: Settings, *, json_output: bool) -> None:
    try:
        ENTRIES[name].run(settings, json_output)
    except (LogTooShortError, UnprovenSetError, OvertakenError) as refusal:
        code, remedy = _REMEDIES[type(refusal)]
        raise ReportedError(problem(code, str(refusal), remedy)) from refusal
    except UndecodableRecordError as refusal:
        remedy = "run a version of Waybill that knows it"
        raise ReportedError(problem(refusal.code, str(refusal), remedy)) from refusal
