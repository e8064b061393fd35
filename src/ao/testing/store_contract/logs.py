"""What a run printed, read from its beginning or from its end."""

from ao.domain.event import EventKind, NewEvent
from ao.ids import RunId
from ao.testing.store_contract.harness import Harness, log_event

AFTER_ALL = 2**53
ENOUGH = 1 << 20


class Logs:
    async def test_forward_goes_on_after_a_seq(self, harness: Harness) -> None:
        run_id = await _printed(harness, 10)
        page = await harness.store.logs.forward(run_id, 5, 0, 3)
        assert [event.seq for event in page] == [6, 7, 8]
        assert page[0].data["lines"] == [[1003, "line 3"]]

    async def test_forward_skips_what_is_older(self, harness: Harness) -> None:
        run_id = await _printed(harness, 10)
        page = await harness.store.logs.forward(run_id, 0, 1008, 100)
        assert [event.at_us for event in page] == [1008, 1009]

    async def test_backward_has_the_latest_first(self, harness: Harness) -> None:
        run_id = await _printed(harness, 10)
        last, more = await harness.store.logs.backward(run_id, AFTER_ALL, 2, ENOUGH)
        earlier, _ = await harness.store.logs.backward(run_id, last[-1].seq, 2, ENOUGH)
        assert more
        assert [event.seq for event in (*last, *earlier)] == [12, 11, 10, 9]

    async def test_backward_is_bounded_in_size_too(self, harness: Harness) -> None:
        run_id = await _printed(harness, 10)
        whole, more = await harness.store.logs.backward(run_id, AFTER_ALL, 11, ENOUGH)
        assert not more
        one = len('{"attempt":1,"stream":"stdout","lines":[[1000,"line 0"]]}')
        for size, seqs in ((0, [12]), (one, [12]), (2 * one, [12, 11]), (3 * one - 1, [12, 11])):
            part, more = await harness.store.logs.backward(run_id, AFTER_ALL, 11, size)
            assert more
            assert [event.seq for event in part] == seqs
            assert part == whole[: len(part)]

    async def test_only_what_this_run_printed(self, harness: Harness) -> None:
        run_id = await _printed(harness, 1)
        other = await harness.submit()
        forward = await harness.store.logs.forward(run_id, 0, 0, 100)
        backward, _ = await harness.store.logs.backward(run_id, AFTER_ALL, 100, ENOUGH)
        for events in (forward, backward):
            assert [event.kind for event in events] == ["log"]
        assert await harness.store.logs.forward(other, 0, 0, 100) == []
        assert await harness.store.logs.backward(other, AFTER_ALL, 100, ENOUGH) == ([], False)


async def _printed(harness: Harness, lines: int) -> RunId:
    """A running run with so many `log` events, from seq 3 on, and one of another kind after them."""
    _, claim = await harness.running()
    events = [log_event(f"line {number}", 1000 + number) for number in range(lines)]
    other = NewEvent(EventKind.OUTPUT, 2000, {"attempt": 1, "value": "kind log"})
    await harness.store.runs.append(claim.run_id, claim.fence, [*events, other])
    return claim.run_id
