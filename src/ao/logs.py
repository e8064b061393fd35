"""Structured logs: a constant message plus fields, one JSON object per line on stderr.

Keys and secrets do not reach the output: fields with a telling name, and anything that looks like an
API key, a bearer token or a password in a URL, are replaced before a line is written.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

Format = Literal["json", "text"]
REDACTED = "[redacted]"

_SENSITIVE = re.compile(
    r"(^|_)(authorization|password|passwd|secret|token|api_?key|credential|ciphertext)s?$", re.I
)
_IN_TEXT = re.compile(
    r"(?P<key>\bao_[0-9A-Za-z]{16,})"
    r"|(?P<bearer>(?<=\bBearer )[^\s\"',]+)"
    r"|(?P<url>(?<=://)[^/\s:@]*:[^/\s@]+(?=@))",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\s\"'=\x00-\x1f\x7f-\x9f]+")
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def get_logger(name: str) -> FilteringBoundLogger:
    logger: FilteringBoundLogger = structlog.get_logger(module=name)
    return logger


def configure(level: str = "info", format: Format = "json", stream: TextIO | None = None) -> None:
    """Send AO's logs, and those of the libraries below it, to `stream` (stderr by default)."""
    _configure_structlog(level, format, stream)
    root = logging.getLogger()
    root.handlers = [_Bridge()]
    root.setLevel(max(_LEVELS[level], logging.WARNING))


def _configure_structlog(level: str, format: Format, stream: TextIO | None) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            _order,
            _renderer(format),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: _Lines(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The processor that removes keys and secrets from every field."""
    return {name: REDACTED if _SENSITIVE.search(name) else _clean(value) for name, value in event.items()}


def _clean(value: object) -> object:
    if isinstance(value, str):
        return _IN_TEXT.sub(REDACTED, value) if "ao_" in value or "@" in value or "earer " in value else value
    if isinstance(value, Mapping):
        return {k: REDACTED if _SENSITIVE.search(str(k)) else _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def _order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    first = {name: event.pop(name) for name in ("timestamp", "level", "event", "module") if name in event}
    return {**first, **event}


def _renderer(format: Format) -> structlog.typing.Processor:
    if format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return _for_people


def _for_people(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """`TIME info    worker ready  slots=12`; values with blanks or quotes as JSON, a traceback as it is."""
    when, level, what = (event.pop(name, "") for name in ("timestamp", "level", "event"))
    traceback = event.pop("exception", "")
    fields = " ".join(f"{name}={_word(value)}" for name, value in event.items())
    line = f"{when} {level:<7} {' '.join(str(what).split())}  {fields}".rstrip()
    return f"{line}\n{traceback}" if traceback else line


def _word(value: object) -> str:
    text = str(value)
    return text if _WORD.fullmatch(text) else json.dumps(value, ensure_ascii=False, default=str)


class _Lines:
    """Writes rendered lines. A reader that went away (a closed pipe) must not take the server down."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # a closed pipe or stream: there is nowhere left to report to
            return

    debug = info = warning = error = critical = exception = log = msg


class _Bridge(logging.Handler):
    """Passes records of the standard library's logging on, so that there is one format."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = get_logger(record.name)
        logger.log(record.levelno, record.getMessage(), exc_info=record.exc_info)


_configure_structlog("warning", "text", None)
