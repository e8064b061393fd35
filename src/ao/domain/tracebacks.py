"""What a traceback says to the person whose code it is."""

import re

_FRAME = re.compile(r'^  File "([^"]+)", line (\d+)', re.MULTILINE)
_RELEASE = re.compile(r'(?<=File ")[^"]*/releases/[^/"]+/')


def shortened(traceback: str) -> str:
    """With paths inside the release as they are in the project."""
    return _RELEASE.sub("", traceback)


def place_of(traceback: str) -> str:
    """File and line of the last frame of the agent's own code, such as `agent.py:14`; "" when there is none."""
    own = [(file, line) for file, line in _FRAME.findall(traceback) if "/releases/" in file]
    return f"{own[-1][0].rpartition('/')[2]}:{own[-1][1]}" if own else ""
