"""Placement: what a worker lacks, who is better, and what a waiting run says."""

from dataclasses import replace

import pytest

from ao.control.waiting import place_sentence
from ao.domain.agent_config import AgentConfig
from ao.domain.assistant import Overrides
from ao.domain.placement import (
    LEAVE_US,
    NOTHING,
    Amounts,
    Offer,
    Peer,
    Placement,
    leave_us,
    parse,
    parse_labels,
    placement_of,
)
from ao.store.run_detail import Places

GIB = 1 << 30
SECOND = 1_000_000


def peer(
    name: str,
    running: int = 0,
    used: Amounts = NOTHING,
    memory: int = 16,
    *,
    draining: bool = False,
    **labels: str,
) -> Peer:
    return Peer(name, name, Offer(labels, Amounts(memory * GIB, 8000, 0)), 4, running, used, draining)


def said(
    placement: Placement, *peers: Peer, since_us: int = 0, now_us: int = 100 * SECOND, ahead: int = 0
) -> str:
    return place_sentence(Places(placement, since_us, ahead, peers), now_us)


A100 = Placement(requires={"gpu": "a100"})
LARGE = Placement(needs=Amounts(64 * GIB))


class TestText:
    def test_equal_placements_have_equal_text_that_is_read_back(self) -> None:
        placement = Placement({"b": "2", "a": "1"}, {"zone": "eu"}, Amounts(GIB, 500, 1), 5 * SECOND)
        again = Placement({"a": "1", "b": "2"}, {"zone": "eu"}, Amounts(GIB, 500, 1), 5 * SECOND)
        assert placement.text() == again.text()
        assert parse(placement.text()) == placement

    def test_an_agent_that_says_nothing_has_none(self) -> None:
        config = AgentConfig.model_validate({"name": "a", "command": ["x"]})
        assert placement_of(config.model_dump(mode="json")) is None

    def test_overrides_take_the_place_of_what_the_release_says(self) -> None:
        config = AgentConfig.model_validate(
            {"name": "a", "command": ["x"], "placement": {"requires": {"gpu": "a100"}, "memory": "2G"}}
        )
        overrides = Overrides.model_validate({"placement": {"memory": "4G"}, "resources": {"gpu": 2}})
        text = placement_of(config.model_dump(mode="json"), overrides.document())
        assert text is not None
        assert parse(text) == Placement({"gpu": "a100"}, needs=Amounts(4 * GIB, 0, 2))
        assert text == placement_of(overrides.over(config).model_dump(mode="json"))

    def test_labels_that_would_not_fit_into_a_key_are_refused(self) -> None:
        labels = {f"label-{number}": "v" * 60 for number in range(20)}
        with pytest.raises(ValueError, match="all labels together"):
            AgentConfig.model_validate({"name": "a", "command": ["x"], "placement": {"requires": labels}})

    @pytest.mark.parametrize("text", ["gpu", "gpu=", "=a100", "gpu=a 100", "gpu=a,gpu=b", "g=" + "x" * 64])
    def test_labels_that_are_none_are_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="has"):
            parse_labels(text)

    def test_labels_are_read(self) -> None:
        assert parse_labels(" gpu=a100, zone=eu,") == {"gpu": "a100", "zone": "eu"}


class TestWhoIsBetter:
    wish = Placement(prefers={"zone": "eu", "disk": "fast"}, patience_us=10 * SECOND)

    def test_one_with_more_of_what_is_preferred_and_room(self) -> None:
        me, other = peer("me", zone="eu"), peer("other", zone="eu", disk="fast")
        assert leave_us(self.wish, me, [me, other]) == 10 * SECOND
        assert leave_us(self.wish, other, [me, other]) == 0

    @pytest.mark.parametrize(
        "other", [peer("full", running=4, zone="eu"), peer("drains", draining=True, zone="eu")]
    )
    def test_not_one_without_a_slot_or_one_that_drains(self, other: Peer) -> None:
        me = peer("me")
        assert leave_us(self.wish, me, [me, other]) == 0

    def test_an_equal_one_that_is_less_loaded_comes_first_for_a_moment(self) -> None:
        me, other = peer("me", running=2), peer("other", running=1)
        assert leave_us(self.wish, me, [me, other]) == LEAVE_US
        assert leave_us(self.wish, other, [me, other]) == 0


class TestWhyARunWaits:
    def test_a_label_that_nobody_has(self) -> None:
        assert said(A100, peer("a"), peer("b", gpu="h100")) == "needs label gpu=a100; no worker has it"

    def test_more_than_any_machine_has(self) -> None:
        words = "needs 64 GiB of memory; the largest worker has 16 GiB of memory"
        assert said(LARGE, peer("a"), peer("b", memory=8)) == words

    def test_what_no_worker_has_together(self) -> None:
        both = Placement({"gpu": "a100"}, needs=Amounts(64 * GIB))
        words = "needs label gpu=a100 and 64 GiB of memory; no worker has all of it"
        assert said(both, peer("a", gpu="a100"), peer("b", memory=128)) == words

    def test_all_that_could_take_it_are_busy(self) -> None:
        words = "needs label gpu=a100; all 4 slots of the worker that it may go to are busy; before it: 3"
        assert said(A100, peer("a", running=4, gpu="a100"), peer("b"), ahead=3) == words

    def test_what_it_needs_is_taken_by_others(self) -> None:
        small = Placement(needs=Amounts(8 * GIB))
        words = "needs 8 GiB of memory; free now: 4 GiB of memory on a"
        assert said(small, peer("a", 2, Amounts(12 * GIB)), peer("b", 2, Amounts(14 * GIB))) == words

    def test_it_is_left_to_better_ones(self) -> None:
        wish = Placement(prefers={"zone": "eu"}, patience_us=10 * SECOND)
        words = "it is left to workers with zone=eu for up to 10 s"
        assert said(wish, peer("a"), since_us=95 * SECOND) == words
        assert said(wish, peer("a"), since_us=85 * SECOND) == "it is about to be claimed"

    def test_all_drain(self) -> None:
        assert said(A100, peer("a", gpu="a100", draining=True)) == "all workers are draining"
        held = replace(peer("box-2", gpu="a100"), hold="its disk is full")
        assert said(A100, held, peer("b")) == "no worker takes it now; box-2: its disk is full"
