"""The operators' console: server-rendered pages beside the API, in the same process."""

from waybill.api.serve import run_api
from waybill.console.mounting import add_console
from waybill.settings import Settings

__all__ = ["add_console", "run_api_and_console"]


def run_api_and_console(settings: Settings) -> int:
    """The API with the console at `/`, until a signal; the exit code."""
    return run_api(settings, add_console)
