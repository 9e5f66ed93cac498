"""Why a configuration is not changed, as problems."""

from waybill.api.problems import Kind

BAD_CONFIGURATION = Kind(422, "bad_configuration", "The configuration has errors")
IF_MATCH_MISSING = Kind(428, "if_match_missing", "The change does not say what it was made from")
VERSION_DIFFERS = Kind(412, "version_differs", "Another version is in use")
