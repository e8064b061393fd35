"""Lines of a run's output as they stand in a page."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from ao.clock import from_datetime
from ao.domain.terminal import Style, plain, styled
from ao.store.records import Attempt
from ao.wire.schemas import LogLine, LogMatch

FOLD_CHARACTERS = 2000
"""The beginning of a longer line; scripts show the rest, and the downloaded log has it."""


@dataclass(frozen=True, slots=True)
class ShownLine:
    id: str
    """`L` with seq and index; the anchor of links to the line."""
    at_us: int
    attempt: int
    stream: str
    mark: str | None
    text: Markup
    raw: Markup | None
    """As it was printed, where that is not what is shown."""
    starts: str
    """For the first line of a later attempt: what to say above it."""


def shown_lines(lines: Sequence[LogLine], attempts: Sequence[Attempt]) -> list[ShownLine]:
    causes = causes_of(attempts)
    shown = []
    attempt = 1
    for line in lines:
        starts = ""
        if line.attempt > attempt:
            attempt = line.attempt
            cause = causes.get(attempt)
            starts = f"Attempt {attempt} · after {cause}" if cause else f"Attempt {attempt}"
        text = _marked(line) if isinstance(line, LogMatch) else _styled(line.text)
        raw = _raw(line.text) if line.text != plain(line.text) or len(line.text) > FOLD_CHARACTERS else None
        shown.append(
            ShownLine(
                id=f"L{line.seq}.{line.index}",
                at_us=from_datetime(line.at),
                attempt=line.attempt,
                stream=line.stream,
                mark=line.mark,
                text=text,
                raw=raw,
                starts=starts,
            )
        )
    return shown


def causes_of(attempts: Sequence[Attempt]) -> dict[int, str]:
    """Number of an attempt → the error for which there is one."""
    return {
        attempt.number + 1: attempt.error.message.partition("\n")[0] for attempt in attempts if attempt.error
    }


def _raw(text: str) -> Markup:
    """For an attribute: HTML takes a carriage return for a line break unless it is written as a number."""
    return Markup(str(escape(text)).replace("\r", "&#13;"))  # noqa: S704 - escaped


def _styled(text: str) -> Markup:
    shown = Markup().join(_piece(style, part) for style, part in styled(text[:FOLD_CHARACTERS]))
    left = len(text) - FOLD_CHARACTERS
    return shown + f" … {left:,} more characters" if left > 0 else shown


def _piece(style: Style, text: str) -> Markup:
    classes = [name for name in ("bold", "dim", "italic", "underline", "struck") if getattr(style, name)]
    if style.foreground and not style.foreground.startswith("#"):
        classes.append(style.foreground)
    if style.background and not style.background.startswith("#"):
        classes.append(f"on-{style.background}")
    if not classes:
        return escape(text)
    return Markup('<span class="{}">{}</span>').format(" ".join(f"ansi-{name}" for name in classes), text)


def _marked(line: LogMatch) -> Markup:
    text, shown, done = line.text, Markup(), 0
    for start, end in line.spans:
        shown += text[done:start] + Markup("<mark>{}</mark>").format(text[start:end])
        done = end
    return shown + text[done:]
