"""The store's contract on SQLite and on Postgres."""

from ao.testing import store_contract


class TestCreating(store_contract.Creating):
    pass


class TestReading(store_contract.Reading):
    pass


class TestListing(store_contract.Listing):
    pass


class TestClaiming(store_contract.Claiming):
    pass


class TestDelays(store_contract.Delays):
    pass


class TestAgendas(store_contract.Agendas):
    pass


class TestAssistants(store_contract.Assistants):
    pass


class TestAttempts(store_contract.Attempts):
    pass


class TestLogs(store_contract.Logs):
    pass


class TestFences(store_contract.Fences):
    pass


class TestHandingBack(store_contract.HandingBack):
    pass


class TestPausing(store_contract.Pausing):
    pass


class TestForking(store_contract.Forking):
    pass


class TestDeadLetters(store_contract.DeadLetters):
    pass


class TestSessions(store_contract.Sessions):
    pass


class TestSessionReplays(store_contract.SessionReplays):
    pass


class TestSessionRuns(store_contract.SessionRuns):
    pass


class TestSteps(store_contract.Steps):
    pass


class TestCancelling(store_contract.Cancelling):
    pass


class TestLogins(store_contract.Logins):
    pass


class TestLeases(store_contract.Leases):
    pass


class TestProcesses(store_contract.Processes):
    pass


class TestDeploying(store_contract.Deploying):
    pass


class TestPointers(store_contract.Pointers):
    pass


class TestSchedules(store_contract.Schedules):
    pass


class TestOverlaps(store_contract.Overlaps):
    pass


class TestTicks(store_contract.Ticks):
    pass


class TestSecrets(store_contract.Secrets):
    pass


class TestKeys(store_contract.Keys):
    pass


class TestAuditing(store_contract.Auditing):
    pass


class TestDelivering(store_contract.Delivering):
    pass


class TestGating(store_contract.Gating):
    pass


class TestSeveralGates(store_contract.SeveralGates):
    pass


class TestTakingTurns(store_contract.TakingTurns):
    pass


class TestSizing(store_contract.Sizing):
    pass


class TestQueueing(store_contract.Queueing):
    pass


class TestRetaining(store_contract.Retaining):
    pass


class TestLifetime(store_contract.Lifetime):
    pass


class TestTallies(store_contract.Tallies):
    pass


class TestOverviews(store_contract.Overviews):
    pass


class TestAgentDetails(store_contract.AgentDetails):
    pass


class TestRunLists(store_contract.RunLists):
    pass


class TestPlacing(store_contract.Placing):
    pass


class TestPlacedRuns(store_contract.PlacedRuns):
    pass


class TestDraining(store_contract.Draining):
    pass
