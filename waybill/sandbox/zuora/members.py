"""What the members of Zuora's bodies have in common: ids, numbers, custom fields."""

import re
from string import hexdigits

from waybill.sandbox.rules import Shape, matching

CUSTOM = ("__c", "__NS", "__QT")
ID_LENGTH = 32

custom_fields = Shape(extra=CUSTOM)
object_id = matching(
    lambda value: len(value) == ID_LENGTH and all(c in hexdigits for c in value),
    "an id of 32 hexadecimal digits",
)
_HYPHENATED = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
hyphenated_id = matching(_HYPHENATED.fullmatch, "an id with hyphens, as a UUID has them")
LONGEST_NUMBER = 100
LONGEST_ACCOUNT_NUMBER = 50
LONGEST_EMAIL = 80
number_of_ours = matching(
    lambda value: 0 < len(value) <= LONGEST_NUMBER and "/" not in value,
    "a number of at most 100 characters without a slash",
)
# 'A' is the documented prefix of the numbers that Zuora itself hands out.
account_number = matching(
    lambda value: 0 < len(value) <= LONGEST_ACCOUNT_NUMBER and not value.startswith("A"),
    "at most 50 characters that do not begin with the tenant's own prefix 'A'",
)
email = matching(
    lambda value: len(value) <= LONGEST_EMAIL and 0 < value.find("@") < len(value) - 1,
    "an e-mail address of at most 80 characters",
)
_MEMO_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,32}")
memo_number = matching(
    _MEMO_NUMBER.fullmatch, "at most 32 letters, digits, hyphens and underscores"
)
