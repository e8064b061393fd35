"""Runs of several keys on one slot: by turns, over HTTP and in real sandboxes."""

from pathlib import Path

from tests.served import FUNCTION, served, until

AGENT = {"agent.py": "import time\ndef work(task):\n    time.sleep(task.get('seconds', 0))\n    return task"}
MANY = 10


async def test_a_later_key_is_not_served_behind_all_of_an_earlier_one(tmp_path: Path) -> None:
    async with served(tmp_path, {"AO_SLOTS": "1"}, worker=True) as api:
        await api.local.deploy("support", AGENT, toml=FUNCTION)

        async def submit(key: str, seconds: float = 0.0) -> str:
            body = {"agent": "support", "concurrency_key": key, "input": {"seconds": seconds}}
            return str((await api.json("POST", "/v1/runs", body, status=201))["id"])

        async def started(run: str) -> str | None:
            at = (await api.json("GET", f"/v1/runs/{run}"))["started_at"]
            return None if at is None else str(at)

        first = await submit("many", seconds=600)  # it has the slot until everything is in the queue
        await until(lambda: started(first))
        many = [await submit("many") for _ in range(MANY)]
        one = await submit("one")
        view = await api.json("GET", f"/v1/runs/{many[-1]}")
        assert view["concurrency_key"] == "many"
        assert view["why_pending"] == (
            f"all 1 slots are busy; in the queue: {MANY + 1}, of the same concurrency key before it: {MANY - 1}"
        )
        await api.json("POST", f"/v1/runs/{first}/cancel")
        runs = [*many, one]
        for run in runs:
            await api.json("GET", f"/v1/runs/{run}?wait=60")
        order = sorted(
            runs, key=dict(zip(runs, [await started(run) or "" for run in runs], strict=True)).__getitem__
        )
        assert order.index(one) <= 1
        assert [run for run in order if run != one] == many


async def test_sizes_are_told(tmp_path: Path) -> None:
    async with served(tmp_path, {"AO_KEEP_HISTORY_DAYS": "7", "AO_KEEP_AUDIT_DAYS": "0"}) as api:
        run = await api.local.deploy("support", AGENT, toml=FUNCTION)
        await api.json("POST", "/v1/runs", {"agent": "support"}, status=201)
        sizes = await api.json("GET", "/v1/sizes")
        assert sizes["database_bytes"] > 100_000
        assert [table["name"] for table in sizes["tables"]] == ["run", "run_outcome", "run_event", "run_step"]
        assert [table["rows"] for table in sizes["tables"]] == [1, 0, 1, 0]
        assert (sizes["history_kept_days"], sizes["audit_kept_days"]) == (7, None)
        assert sizes["first_run_at"] == sizes["history_since"] is not None
        assert sizes["blob_bytes"] > 0
        assert sizes["disk_free_bytes"] > 0
        assert (sizes["warning"], run.version) == ("", 1)
