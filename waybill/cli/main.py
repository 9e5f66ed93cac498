"""The group of all commands, each imported when it is called, and the one handler of errors."""

import importlib
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

import waybill

COMMANDS = {
    "up": ("processes", "Run everything on this machine."),
    "submit": ("orders", "Submit an order."),
    "preview": ("previewing", "Show what an order would do; nothing is written."),
    "order": ("orders", "Show one order: its steps, callouts and errors."),
    "orders": ("orders", "List orders, the newest first, or export them."),
    "subscriptions": (
        "subscriptions",
        "List subscriptions as their orders left them, the newest first.",
    ),
    "subscription": (
        "subscriptions",
        "Show one subscription: what it is made of, its numbers and its orders.",
    ),
    "attention": ("standing", "List what needs a person, grouped by cause."),
    "retry": ("operating", "Try the failed step again."),
    "skip": ("operating", "Go on without the step."),
    "resolve": ("operating", "Say that the step is done, with its output."),
    "pause": ("operating", "Do nothing more for the order until it is resumed."),
    "resume": ("operating", "Go on with a paused order."),
    "cancel": ("operating", "End the order, and undo the steps that say how."),
    "amend": ("operating", "Change an order in flight."),
    "force-complete": ("operating", "End the main phase; what is left of it is skipped."),
    "release": ("operating", "Let a queued order pass those that rest before it."),
    "command": ("commanded", "Show a command, or the progress of a bulk, by its id."),
    "stages": ("standing", "Show what each plugin did, and how its stages are."),
    "stage": ("standing", "Hold a stage, or release it."),
    "webhook": ("webhook", "Webhook endpoints, and what was sent to them."),
    "statistics": ("statistics", "Show counts, rates, durations and causes of errors."),
    "lag": (
        "statistics",
        "Show how far every reader of a topic is, and how long records wait for it.",
    ),
    "audit": ("audit", "List who did what and why, the newest first."),
    "rejected": ("rejected", "See what was not taken and why, and send it again."),
    "config": ("configuration", "See, check and change the configuration, version by version."),
    "connectors": ("connectors", "See the plugins that a sequence can name, and write a new one."),
    "doctor": ("upkeep", "Check this installation and say what to do."),
    "keys": ("api_keys", "Make API keys, list and revoke them."),
    "topics": ("processes", "Create missing topics and check all of them."),
    "rebuild": ("views", "Build all views anew from the log."),
    "verify": ("views", "Prove that the views are what the log makes."),
    "worker": ("processes", "Run a worker: takes orders and carries them through their steps."),
    "projector": ("processes", "Run the projector: keeps the views in the store."),
    "outlet": ("processes", "Run the outlet: publishes what becomes of orders."),
    "webhooks": ("processes", "Run webhooks: delivers to subscribers' endpoints."),
    "api": ("processes", "Run the HTTP API."),
    "sandbox": ("processes", "Run stand-ins for the partner systems."),
}
"""Module and first line of help, so that the list of commands imports none of them."""

STAYING = frozenset({"worker", "projector", "outlet", "webhooks", "api", "sandbox"})
"""Commands whose output is a log: who reads it has to find the place of an error."""

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


class _LazyGroup(click.Group):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command, imported."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"waybill.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """The table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(waybill.__version__, prog_name="waybill", message="%(prog)s %(version)s")
def cli() -> None:
    """Carry subscription orders through partner systems.

    Settings come from the environment (WAYBILL_...). Exit codes: 0 done, 1 refused or failed,
    2 wrong usage, 3 nobody answers.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. Whatever goes wrong is said in words."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = cli.main(given, prog_name="waybill", standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Who read our output has seen enough; the interpreter must not try to write more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        return _report(error, given)
    return code if isinstance(code, int) else 0


def _report(error: Exception, given: Sequence[str]) -> int:
    as_json = "--json" in given
    if isinstance(error, click.ClickException) and not as_json:
        error.show()
    else:
        told = _problem(error)
        if told.get("code") == "internal" and STAYING.intersection(given[:1]):
            logging.getLogger("waybill").error("the process ends", exc_info=error)
        output = importlib.import_module("waybill.cli.output")
        output.show_problem(told, as_json=as_json)
    code = getattr(error, "exit_code", EXIT_FAILED)
    return code if isinstance(code, int) else EXIT_FAILED


def _problem(error: Exception) -> Mapping[str, Any]:
    """What the error says about itself: a problem document, or code, message and remedy."""
    told = getattr(error, "problem", error)
    if isinstance(told, Mapping):
        return told
    if findings := getattr(error, "findings", None):
        detail = f"{len(findings)} errors in the configuration or the connections"
        remedy = "correct them; `waybill config validate` checks again"
        return {"code": "bad_configuration", "detail": detail, "remedy": remedy} | {
            "findings": findings
        }
    if isinstance(error, click.ClickException):
        remedy = "see `waybill --help`"
        return {"code": "usage", "detail": error.format_message(), "remedy": remedy}
    code = getattr(told, "code", None)
    if not isinstance(code, str):
        remedy = "run it again as `python -X dev -m waybill ...` to see where"
        return {"code": "internal", "detail": f"{type(error).__name__}: {error}", "remedy": remedy}
    return {
        "code": code,
        "detail": getattr(told, "message", None) or str(error),
        "field": getattr(told, "field", None) or getattr(told, "variable", None),
        "remedy": getattr(told, "remedy", None),
    }
