"""The contract of `ao.store`, as tests that run against every implementation.

Give pytest a fixture `harness` that yields a `Harness` over a fresh database, and subclass:

    class TestCreating(store_contract.Creating): ...
"""

from ao.testing.store_contract.agenda import Agendas
from ao.testing.store_contract.assistants import Assistants
from ao.testing.store_contract.attempts import Attempts, Cancelling, Fences, HandingBack
from ao.testing.store_contract.auditing import Auditing
from ao.testing.store_contract.claiming import Claiming, Delays
from ao.testing.store_contract.creating import Creating, Listing, Queueing, Reading
from ao.testing.store_contract.delivering import Delivering
from ao.testing.store_contract.deploying import Deploying, Pointers
from ao.testing.store_contract.gating import Gating, SeveralGates
from ao.testing.store_contract.harness import Harness
from ao.testing.store_contract.insights import AgentDetails, Overviews, RunLists, Tallies
from ao.testing.store_contract.logs import Logs
from ao.testing.store_contract.others import Keys, Lifetime, Logins, Secrets
from ao.testing.store_contract.pausing import Pausing
from ao.testing.store_contract.placing import Draining, PlacedRuns, Placing
from ao.testing.store_contract.processes import Processes
from ao.testing.store_contract.replaying import DeadLetters, Forking
from ao.testing.store_contract.retaining import Retaining
from ao.testing.store_contract.scheduling import Overlaps, Schedules, Ticks
from ao.testing.store_contract.session_replays import SessionReplays
from ao.testing.store_contract.sessions import SessionRuns, Sessions
from ao.testing.store_contract.sizes import Sizing
from ao.testing.store_contract.steps import Steps
from ao.testing.store_contract.turns import TakingTurns
from ao.testing.store_contract.workers import Leases

__all__ = [
    "Agendas",
    "AgentDetails",
    "Assistants",
    "Attempts",
    "Auditing",
    "Cancelling",
    "Claiming",
    "Creating",
    "DeadLetters",
    "Delays",
    "Delivering",
    "Deploying",
    "Draining",
    "Fences",
    "Forking",
    "Gating",
    "HandingBack",
    "Harness",
    "Keys",
    "Leases",
    "Lifetime",
    "Listing",
    "Logins",
    "Logs",
    "Overlaps",
    "Overviews",
    "Pausing",
    "PlacedRuns",
    "Placing",
    "Pointers",
    "Processes",
    "Queueing",
    "Reading",
    "Retaining",
    "RunLists",
    "Schedules",
    "Secrets",
    "SessionReplays",
    "SessionRuns",
    "Sessions",
    "SeveralGates",
    "Sizing",
    "Steps",
    "TakingTurns",
    "Tallies",
    "Ticks",
]
