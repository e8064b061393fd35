"""What a run printed, over HTTP: in order, from the end, and searched."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.served import Served, served

AGENT = """
import sys

def work(task):
    for number in range(1, 301):
        print(f"line {number}", flush=number % 50 == 0)
    print("\\x1b[31mRed\\x1b[0m 🎉 Warning: (odd)", file=sys.stderr, flush=True)
"""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, worker=True) as api:
        await api.local.deploy("talker", {"agent.py": AGENT}, toml='entrypoint = "agent:work"')
        yield api


@pytest.fixture
async def logs(api: Served) -> str:
    run = await api.local.run("talker")
    assert run.error is None
    return f"/v1/runs/{run.id}/logs"


async def test_the_last_lines_and_those_before_them(api: Served, logs: str) -> None:
    everything = await api.json("GET", logs)
    printed = [line["text"] for line in everything if line["stream"] == "stdout"]
    assert printed == [f"line {n}" for n in range(1, 301)]
    assert len({(line["seq"], line["index"]) for line in everything}) == 301
    assert await api.json("GET", logs, params={"tail": 3}) == everything[-3:]
    before = everything[200]["seq"]
    earlier = await api.json("GET", logs, params={"before": before, "tail": 20})
    assert earlier == [line for line in everything if line["seq"] < before][-20:]
    assert await api.json("GET", logs, params={"before": 1}) == []


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ({"q": "LINE 29"}, ["line 29", *(f"line {n}" for n in range(290, 300))]),
        ({"q": "LINE 29", "case": "true"}, []),
        ({"q": "^line 1.5$", "regex": "true"}, [f"line 1{n}5" for n in range(10)]),
        ({"q": "(odd)"}, ["Red 🎉 Warning: (odd)"]),
        ({"q": "", "stream": "stderr"}, ["Red 🎉 Warning: (odd)"]),
        ({"q": "line", "stream": "stderr"}, []),
        ({"q": "line", "until": "2001-01-01T00:00:00Z"}, []),
        ({"q": "line 300", "since": "2001-01-01T00:00:00Z"}, ["line 300"]),
        ({"q": "line", "since": "2200-01-01T00:00:00Z"}, []),
    ],
)
async def test_search(api: Served, logs: str, query: dict[str, str], texts: list[str]) -> None:
    found = await api.json("GET", f"{logs}/search", params=query)
    assert [line["text"] for line in found["items"]] == texts
    assert found["complete"]


async def test_matches_say_where_they_are_in_the_text_without_colours(api: Served, logs: str) -> None:
    found = await api.json("GET", f"{logs}/search", params={"q": "R", "case": "false", "stream": "stderr"})
    (line,) = found["items"]
    assert [line["text"][start:end] for start, end in line["spans"]] == ["R", "r"]


async def test_a_long_search_goes_on_where_it_stopped(api: Served, logs: str) -> None:
    texts: list[str] = []
    found: dict[str, Any] = {"last_seq": 0, "complete": False}
    while not found["complete"]:
        query = {"q": "line", "limit": 1, "after": found["last_seq"]}
        found = await api.json("GET", f"{logs}/search", params=query)
        texts += [line["text"] for line in found["items"]]
    assert texts == [f"line {n}" for n in range(1, 301)]


async def test_what_is_no_pattern_is_refused_with_its_reason(api: Served, logs: str) -> None:
    problem = await api.problem("GET", f"{logs}/search", params={"q": "(open", "regex": "true"}, status=422)
    assert problem["problems"][0]["field"] == "q"
    assert "missing )" in problem["problems"][0]["message"]


async def test_a_pattern_that_would_backtrack_for_ever_is_just_a_pattern(api: Served, logs: str) -> None:
    found = await api.json("GET", f"{logs}/search", params={"q": "(.*.*)*x{1,30}$", "regex": "true"})
    assert found == {"items": [], "last_seq": found["last_seq"], "complete": True}


async def test_searching_a_run_that_does_not_exist_is_not_found(api: Served) -> None:
    await api.problem("GET", "/v1/runs/01936f2e-9c4b-7d3a-8f00-0123456789ab/logs/search", status=404)
