"""Text as programs write it for terminals: escape sequences, colours, lines written over."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

_ESCAPE = re.compile(
    r"\x1b\[([0-9;:]*)m"  # colours and weights: the only group
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # other control sequences
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\|$)"  # titles and links
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\|$)"
    r"|\x1b[ -/]*[0-~]"
    r"|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]"
)
_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_CUBE = (0, 95, 135, 175, 215, 255)


def plain(text: str) -> str:
    """What a terminal would show of one line, without colours: `10%\\r20%` shows the last."""
    shown = text.rpartition("\r")[2]
    return _ESCAPE.sub("", shown) if "\x1b" in shown or not shown.isprintable() else shown


@dataclass(frozen=True, slots=True)
class Style:
    """Colours are one of the sixteen names (`red`, `bright-red`, …), `#rrggbb`, or empty."""

    foreground: str = ""
    background: str = ""
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    struck: bool = False


PLAIN = Style()


def styled(text: str) -> Iterator[tuple[Style, str]]:
    """The pieces of one line, each in one style. A line starts plain, whatever came before it."""
    shown = text.rpartition("\r")[2]
    style, start = PLAIN, 0
    piece = ""
    for match in _ESCAPE.finditer(shown):
        piece += shown[start : match.start()]
        start = match.end()
        if match[1] is None:
            continue
        changed = _changed(style, match[1])
        if changed != style:
            if piece:
                yield style, piece
            style, piece = changed, ""
    piece += shown[start:]
    if piece:
        yield style, piece


def _changed(style: Style, parameters: str) -> Style:
    codes = [int(code) if code.isdigit() else 0 for code in re.split("[;:]", parameters)]
    while codes:
        code = codes.pop(0)
        if code == 0:
            style = PLAIN
        elif code in _SWITCHES:
            style = replace(style, **_SWITCHES[code])
        elif 30 <= code <= 37 or 90 <= code <= 97:
            style = replace(style, foreground=_named(code % 10, bright=code >= 90))
        elif 40 <= code <= 47 or 100 <= code <= 107:
            style = replace(style, background=_named(code % 10, bright=code >= 100))
        elif code == 38:
            style = replace(style, foreground=_extended(codes))
        elif code == 48:
            style = replace(style, background=_extended(codes))
    return style


_SWITCHES: dict[int, dict[str, Any]] = {
    1: {"bold": True},
    2: {"dim": True},
    3: {"italic": True},
    4: {"underline": True},
    9: {"struck": True},
    22: {"bold": False, "dim": False},
    23: {"italic": False},
    24: {"underline": False},
    29: {"struck": False},
    39: {"foreground": ""},
    49: {"background": ""},
}


def _named(index: int, *, bright: bool) -> str:
    return f"bright-{_NAMES[index]}" if bright else _NAMES[index]


def _extended(codes: list[int]) -> str:
    """Takes the parameters of 38 or 48 off the front: `5;n`, or `2;r;g;b`."""
    kind = codes.pop(0) if codes else 0
    if kind == 5 and codes:
        return _indexed(codes.pop(0))
    if kind == 2 and len(codes) >= 3:
        parts = [min(codes.pop(0), 255) for _ in range(3)]
        return "#{:02x}{:02x}{:02x}".format(*parts)
    codes.clear()
    return ""


def _indexed(index: int) -> str:
    if index < 16:
        return _named(index % 8, bright=index >= 8)
    if index < 232:
        red, rest = divmod(index - 16, 36)
        green, blue = divmod(rest, 6)
        return f"#{_CUBE[min(red, 5)]:02x}{_CUBE[green]:02x}{_CUBE[blue]:02x}"
    grey = min(8 + 10 * (index - 232), 255)
    return f"#{grey:02x}{grey:02x}{grey:02x}"
