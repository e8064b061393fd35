"""What the sessions of a soak hold, against the steps that were recorded and the effects that were heard."""

from collections import defaultdict
from itertools import groupby

from ao import Client

AGENT = "stepper"


class Memories:
    """Of each session: what its runs have recorded. A run that has not completed may have lost steps that ran
    at the same time as others: an attempt that ends in the middle of them has not come to all again."""

    def __init__(self) -> None:
        self._recorded: dict[str, dict[str, int]] = defaultdict(dict)
        """Session → name of a step → the attempt that recorded it."""
        self._doubtful: dict[str, set[str]] = defaultdict(set)
        self._heard: dict[str, set[str]] = defaultdict(set)

    def add(
        self, session: str, number: int, recorded: dict[str, int], heard: set[str], *, completed: bool
    ) -> None:
        """The steps of a run of it that were recorded, and those whose effects were heard."""
        for path in heard:
            name = f"{number}:{path}"
            self._heard[session].add(name)
            if path in recorded:
                self._recorded[session][name] = recorded[path]
                if not completed and path.startswith("both"):
                    self._doubtful[session].add(name)

    def check(self, client: Client) -> int:
        """How many steps the sessions remember; each exactly once, as it was recorded."""
        return sum(self._check(client, session) for session in self._recorded)

    def _check(self, client: Client, session: str) -> int:
        recorded, doubtful = self._recorded[session], self._doubtful[session]
        said = [str(message.content) for message in client.sessions.messages(AGENT, session)]
        assert len(said) == len(set(said)), f"{session}: said twice: {sorted(said)}"
        assert recorded.keys() - doubtful <= set(said) <= recorded.keys(), (
            f"{session}: {sorted(set(said) ^ recorded.keys())}"
        )
        runs = [number for number, _ in groupby(said, key=lambda name: name.partition(":")[0])]
        assert len(runs) == len(set(runs)), f"{session}: its runs have mixed: {runs}"

        state = client.sessions.get(AGENT, session).state
        count = state.pop("count", 0)
        assert state == {name: recorded[name] for name in said}, f"{session}: {state} is not {recorded}"
        assert count == len([name for name in said if ":both" not in name]), f"{session}: counted {count}"

        files = {entry.path.replace("~", "/") for entry in client.sessions.workspace(AGENT, session).entries}
        assert set(said) <= files <= self._heard[session], f"{session}: {sorted(files ^ set(said))}"
        return len(said)
