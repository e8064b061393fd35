"""Logs: one JSON object per line, and no secret in any."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from ao import logs

KEY = "ao_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    yield stream
    logs.configure("warning", "text")
    root.handlers, root.level = handlers, level


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_time_level_message_and_fields(stream: io.StringIO) -> None:
    logs.get_logger("ao.test").info("deployed", agent="support", version=7)
    [line] = lines(stream)
    assert list(line)[:4] == ["timestamp", "level", "event", "module"]
    assert (line["level"], line["event"], line["agent"], line["version"]) == ("info", "deployed", "support", 7)


def test_keys_tokens_and_passwords_are_redacted_wherever_they_stand(stream: io.StringIO) -> None:
    log = logs.get_logger("ao.test")
    log.info("x", api_key=KEY, db_password="hunter2", message=f"key {KEY} here", secret_value_count=3)
    log.info("x", headers={"Authorization": f"Bearer {KEY}", "note": "Bearer hunter2"}, items=[KEY])
    log.info("x", url="postgresql://user:hunter2@db/ao")
    try:
        raise ValueError(f"refused {KEY}")
    except ValueError:
        log.exception("failed")
    text = stream.getvalue()
    assert "hunter2" not in text
    assert KEY not in text
    assert "ValueError: refused [redacted]" in lines(stream)[3]["exception"]
    assert lines(stream)[0]["secret_value_count"] == 3
    assert lines(stream)[2]["url"] == "postgresql://[redacted]@db/ao"


def test_a_line_break_in_a_value_does_not_make_a_second_line(stream: io.StringIO) -> None:
    logs.get_logger("ao.test").info("x", text='one\ntwo {"level": "error"}')
    assert len(lines(stream)) == 1


def test_for_people_fields_stand_behind_the_message_and_a_traceback_below() -> None:
    stream = io.StringIO()
    logs.configure("info", "text", stream)
    try:
        logs.get_logger("ao.test").info("worker ready", slots=12, why="one\ntwo", name="a b", empty="")
        raise ValueError("no")
    except ValueError:
        logs.get_logger("ao.test").exception("failed")
    finally:
        logs.configure("warning", "text")
    first, second, *traceback = stream.getvalue().splitlines()
    assert first.partition(" ")[2] == (
        r'info    worker ready  module=ao.test slots=12 why="one\ntwo" name="a b" empty=""'
    )
    assert second.partition(" ")[2] == "error   failed  module=ao.test"
    assert (traceback[0], traceback[-1]) == ("Traceback (most recent call last):", "ValueError: no")


def test_the_standard_librarys_loggers_come_out_in_the_same_format(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").error("lost %s", "it")
    [line] = lines(stream)
    assert (line["event"], line["module"], line["level"]) == ("lost it", "uvicorn.error", "error")


def test_levels_below_the_configured_one_are_dropped(stream: io.StringIO) -> None:
    logs.get_logger("ao.test").debug("quiet")
    assert stream.getvalue() == ""


def test_a_closed_stream_does_not_take_the_caller_down() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    stream.close()
    logs.get_logger("ao.test").info("into the void")
    logs.configure("warning", "text")
