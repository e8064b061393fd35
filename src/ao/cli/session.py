"""What one call of the command carries from the options that every command has."""

from dataclasses import dataclass


@dataclass(slots=True)
class Session:
    json: bool = False
    """Data on stdout is JSON; errors too."""
    url: str | None = None
    """`--url`; None: from the environment, then from the home directory."""
    key_hint: str = ""
    """Where the API key of this call came from, and what else there is; for when it is refused."""
    on_interrupt: str = ""
    """What Ctrl-C leaves going on, for the user to know."""
