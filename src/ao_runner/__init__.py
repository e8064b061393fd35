"""Runs one attempt of an agent inside its sandbox. What agents may import from here: `Permanent`, `Retry`."""


class Permanent(Exception):
    """Raise it when trying again is pointless: the run fails at once, whatever the retry policy says."""


class Retry(Exception):
    """Raise it to be tried again, `after` seconds from now instead of when the retry policy says."""

    def __init__(self, message: str = "", after: "float | None" = None) -> None:
        if after is not None and not 0 <= after < float("inf"):
            raise ValueError("`after` is a number of seconds from now, 0 or more")
        super().__init__(message)
        self.after = after


__all__ = ["Permanent", "Retry"]
