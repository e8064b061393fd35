"""Sizes: cheap numbers that are about right."""

from ao.testing.store_contract.harness import COMPLETED, SECOND, Harness, log_event

DAY_US = 86_400 * SECOND


class Sizing:
    async def test_an_empty_database_has_a_size_and_no_history(self, harness: Harness) -> None:
        sizes = await harness.store.sizes.measure(None)
        assert sizes.total_bytes > sizes.reusable_bytes >= 0
        assert [table.name for table in sizes.tables] == ["run", "run_outcome", "run_event", "run_step"]
        assert {table.rows for table in sizes.tables} <= {0, None}
        assert (sizes.first_run_us, sizes.history_since_us) == (None, None)

    async def test_tables_grow_with_what_is_in_them(self, harness: Harness) -> None:
        before = await harness.store.sizes.measure(None)
        _, claim = await harness.running()
        lines = [log_event(str(number) * 2000) for number in range(200)]
        await harness.store.runs.append(claim.run_id, claim.fence, lines)
        after = await harness.replica.sizes.measure(None)
        grown = {
            new.name: (new.bytes or 0) - (old.bytes or 0)
            for old, new in zip(before.tables, after.tables, strict=True)
        }
        assert grown["run_event"] > 20_000
        assert after.total_bytes > before.total_bytes
        run = await harness.store.runs.get(claim.run_id)
        assert (after.first_run_us, after.history_since_us) == (run.created_us, run.created_us)

    async def test_the_oldest_history_is_that_of_runs_which_have_it_still(self, harness: Harness) -> None:
        worker_id, old = await harness.running()
        await harness.finish(old, COMPLETED)
        await harness.submit()
        young = await harness.claim_one(worker_id)
        later_us = await harness.store.schedules.now_us() + DAY_US
        page = await harness.store.retention.ended_before(later_us, None, 10)
        for run_id, up_to in page.runs:
            await harness.store.retention.drop_history(run_id, up_to, 100)
        sizes = await harness.store.sizes.measure(None)
        first, second = [await harness.store.runs.get(claim.run_id) for claim in (old, young)]
        assert (sizes.first_run_us, sizes.history_since_us) == (first.created_us, second.created_us)
        assert (await harness.store.sizes.measure(young.run_id)).history_since_us is None
