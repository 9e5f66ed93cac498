"""Why a webhook endpoint is not taken or not changed, as problems."""

from streams.core.webhooks.egress import EgressRefusedError
from waybill.api.problems import ApiProblem, Kind

URL_MALFORMED = Kind(422, "webhook_url_malformed", "The URL cannot be used")
URL_SCHEME = Kind(422, "webhook_url_scheme", "Webhooks go out by https")
HOST_REFUSED = Kind(422, "webhook_host_refused", "The host's name is no public one")
PORT_REFUSED = Kind(422, "webhook_port_refused", "Webhooks do not go to this port")
ADDRESS_REFUSED = Kind(422, "webhook_address_refused", "The host's address is no public one")
HOST_UNKNOWN = Kind(422, "webhook_host_unknown", "The host's name leads nowhere")
UNKNOWN_EVENT_TYPE = Kind(422, "unknown_event_type", "There is no such type of webhook")
BAD_HEADER_NAME = Kind(422, "reserved_header", "The header is not the endpoint's to set")
NO_KEY = Kind(422, "no_key", "The tenant has no key to seal secrets with")
TOO_MANY_ENDPOINTS = Kind(422, "too_many_endpoints", "The tenant has as many endpoints as it may")
TOO_MANY_SECRETS = Kind(409, "too_many_secrets", "Too many secrets sign already")
ENDPOINT_DISABLED = Kind(409, "endpoint_disabled", "The endpoint is disabled")
ENDPOINT_DELETED = Kind(409, "endpoint_deleted", "The endpoint of this key was deleted")
CHANGED_MEANWHILE = Kind(409, "changed_meanwhile", "Others change it at the same time")
REVISION_DIFFERS = Kind(412, "revision_differs", "The endpoint is no longer as you know it")

EGRESS = (
    URL_MALFORMED,
    URL_SCHEME,
    HOST_REFUSED,
    PORT_REFUSED,
    ADDRESS_REFUSED,
    HOST_UNKNOWN,
)
"""Why a URL is not taken."""

_EGRESS_BY_CODE = {kind.code: kind for kind in EGRESS}


def egress_problem(refused: EgressRefusedError) -> ApiProblem:
    """422 with the member `url` to blame."""
    return ApiProblem(_EGRESS_BY_CODE[refused.code], refused.message, refused.remedy, "/url")
