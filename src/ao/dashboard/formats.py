"""How times, durations, sizes and counts are written."""

from ao.clock import to_datetime
from ao.domain.terminal import plain

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def age(instant_us: int, now_us: int) -> str:
    """`3 min ago`, `in 2 h`; below a second `now`."""
    distance = abs(now_us - instant_us)
    if distance < SECOND:
        return "now"
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")):
        if distance >= unit:
            text = f"{distance // unit} {name}"
            break
    return f"in {text}" if instant_us > now_us else f"{text} ago"


def duration(span_us: int | None) -> str:
    """`8 ms`, `1.24 s`, `2 min 05 s`, `3 h 12 min`; a dash for None."""
    if span_us is None:
        return "–"
    if span_us < SECOND:
        return f"{max(span_us, 0) / 1000:.0f} ms"
    if span_us < 10 * SECOND:
        return f"{span_us / SECOND:.2f} s"
    if span_us < MINUTE:
        return f"{span_us / SECOND:.1f} s"
    if span_us < HOUR:
        return _two(span_us // MINUTE, "min", span_us % MINUTE // SECOND, "s")
    if span_us < 2 * DAY:
        return _two(span_us // HOUR, "h", span_us % HOUR // MINUTE, "min")
    return _two(span_us // DAY, "d", span_us % DAY // HOUR, "h")


def _two(large: int, unit: str, small: int, smaller_unit: str) -> str:
    return f"{large} {unit} {small:02d} {smaller_unit}" if small else f"{large} {unit}"


def exact(instant_us: int) -> str:
    """`2026-11-21 09:13:10 UTC`."""
    return to_datetime(instant_us).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(instant_us: int) -> str:
    return to_datetime(instant_us).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(instant_us: int) -> str:
    """`09:13:10.250`, for logs."""
    return to_datetime(instant_us).strftime("%H:%M:%S.%f")[:-3]


def size(count_bytes: int) -> str:
    """`512 B`, `1.2 MiB`."""
    value = float(count_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def count(number: int) -> str:
    return f"{number:,}"


def percent(part: int, whole: int) -> str:
    """`99.2 %`; never 100 % or 0 % when it is not exactly that."""
    if whole == 0:
        return "–"
    share = 100 * part / whole
    if part in (0, whole):
        return f"{share:.0f} %"
    return f"{min(max(share, 0.1), 99.9):.1f} %"


def digest(text: str | None) -> str:
    """The first twelve digits of a digest."""
    return (text or "–").removeprefix("sha256:")[:12]


def plural(number: int, one: str, many: str = "") -> str:
    """`1 run`, `2 runs`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def told(text: str, most: int = 500) -> str:
    """What an agent says of an error: without what drives a terminal, and cut where it is very long."""
    shown = "\n".join(map(plain, text.split("\n")))
    return shown if len(shown) <= most else f"{shown[:most]}…"
