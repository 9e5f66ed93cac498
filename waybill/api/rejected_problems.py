"""Why a rejected record is not shown or not sent again, as problems."""

from waybill.api.problems import Kind

SEALED = Kind(409, "key_wrong", "The record cannot be opened")
NO_ORIGIN = Kind(409, "no_origin", "Nobody knows where the record came from")
NOT_EDITABLE = Kind(422, "not_editable", "The record cannot be sent with another body")
REPLAY_OVERSIZE = Kind(422, "replay_oversize", "The record is too large to be sent from here")
