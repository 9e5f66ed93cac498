"""How a journey of the Zuora plugin ends early, and what its requests are headed with."""

from plugins.api import Failed, Step
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.journeys import StoppedError
from plugins.zuora import errors, headers_of, not_found, refusal
from schemas.steps import ErrorKind

__all__ = ["StoppedError", "errors", "headers", "not_found", "refusal", "unfit"]


def unfit(
    code: str,
    message: str,
    kind: ErrorKind = ErrorKind.MISCONFIGURED,
    buyer_message: str | None = None,
) -> StoppedError:
    """The order or the configuration cannot be put in Zuora's terms."""
    return StoppedError(Failed(kind, code, message, buyer_message))


def headers(step: Step[ZuoraOptions]) -> dict[str, str]:
    """With the tenant's version, and an id that Zuora's support can look for."""
    return headers_of(step, step.options.zuora_version)
