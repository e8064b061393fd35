"""Sizes and durations as people write them. Imports nothing that a command would wait for."""

import re

_SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*(B|K|KB|KiB|M|MB|MiB|G|GB|GiB|T|TB|TiB)?$", re.IGNORECASE)
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_FACTORS = {"b": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_size(value: object) -> int:
    """Bytes of `1048576`, `"512M"`, `"2 GiB"`; factors are powers of 1024."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _SIZE.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a size is bytes or text such as "512M" or "2G"')
    unit = (match[2] or "B").lower()[0]
    size = int(float(match[1]) * 1024 ** _FACTORS[unit])
    if size <= 0:
        raise ValueError("a size is above 0")
    return size


def parse_duration(value: object) -> float:
    """Seconds of `30`, `"30s"`, `"5m"`, `"1.5h"`."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    match = _DURATION.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a duration is seconds or text such as "30s", "5m", "2h"')
    seconds = float(match[1]) * _SECONDS[match[2] or "s"]
    if seconds <= 0:
        raise ValueError("a duration is above 0")
    return seconds


def duration_text(seconds: float) -> str:
    """As people write it, exactly: `90m`, `1.5s`, `2d`."""
    for unit in ("d", "h", "m"):
        if seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:g}{unit}"
    return f"{seconds:.15g}s"
