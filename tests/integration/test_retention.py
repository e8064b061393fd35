"""Old history goes by itself, and readers are told."""

from pathlib import Path

from tests.served import FUNCTION, frames, served

from ao.control.retention import remove_old
from ao.store.retention import Kept

CHATTY = {"agent.py": "def work(task):\n    for n in range(5): print('line', n, flush=True)\n    return task"}


async def test_readers_are_told_that_history_was_removed(tmp_path: Path) -> None:
    async with served(tmp_path, worker=True) as api:
        await api.local.deploy("chatty", CHATTY, toml=FUNCTION)
        run = await api.local.run("chatty", "x")
        await remove_old(api.services.store, Kept(3600_000_000, 3600_000_000))
        assert (await api.json("GET", f"/v1/runs/{run.id}/events"))[0]["kind"] == "state"
        await remove_old(api.services.store, Kept(-3600_000_000, None))
        told, last = await api.json("GET", f"/v1/runs/{run.id}/events")
        assert (told["kind"], told["seq"], told["data"]) == ("truncated", run.last_seq - 1, {"from": 1})
        assert (last["seq"], last["data"]["to"]) == (run.last_seq, "completed")
        async with api.http.stream("GET", f"/v1/runs/{run.id}/stream") as answer:
            got = [(kind, seq) async for kind, seq, _ in frames(answer.aiter_lines())]
        seqs = (str(run.last_seq - 1), str(run.last_seq))
        assert got == [("truncated", seqs[0]), ("state", seqs[1]), ("end", ""), (":", "")]
        assert (await api.json("GET", f"/v1/runs/{run.id}"))["output"] == "x"
        assert (await api.json("GET", f"/v1/runs/{run.id}/logs")) == []
