"""Why Zuora does not do what it is asked: an error category and a sentence."""

BAD_VALUE = 20
MISSING = 22
BUSINESS_RULE = 30
NOT_FOUND = 40
LOCKED = 50
EXTERNAL = 99


class RefusedError(Exception):
    """Nothing was booked. `category` is the end of Zuora's error code."""

    def __init__(self, category: int, message: str) -> None:
        super().__init__(message)
        self.category = category
        self.message = message
