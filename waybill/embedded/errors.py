"""What can keep the embedded broker from running, in words for the person who started it."""


class EmbeddedError(Exception):
    """The embedded broker cannot run; `remedy` says what to do."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(f"{message}. {remedy}. [{code}]")
        self.code = code
        self.message = message
        self.remedy = remedy
