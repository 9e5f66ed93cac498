"""The HTTP API: orders in, views out. Start reading at `routes.py`."""

from waybill.api.app import build_api
from waybill.api.auth import Scope, new_api_key
from waybill.api.call import ApiServices
from waybill.api.serve import run_api

__all__ = ["ApiServices", "Scope", "build_api", "new_api_key", "run_api"]
