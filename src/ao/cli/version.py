"""`ao version`."""

import platform
import sys
from importlib.metadata import version as distribution_version

from ao.cli import output
from ao.cli.session import Session


def version(session: Session) -> None:
    """Print the version."""
    ao = distribution_version("ao-platform")
    if session.json:
        output.as_json({"ao": ao, "python": platform.python_version(), "platform": sys.platform})
    else:
        output.data(f"ao {ao} (Python {platform.python_version()}, {sys.platform})")
