"""The parts of the dashboard, and the way to a page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    """An entry of the navigation. A page becomes part of it with `section=name`."""

    name: str
    label: str
    path: str
    """Below the dashboard's base."""
    needs: str
    """Operation of `ao.server.roles`; who may not do it does not see the entry."""


@dataclass(frozen=True, slots=True)
class Crumb:
    label: str
    path: str
    """Below the dashboard's base."""


SECTIONS: tuple[Section, ...] = (
    Section("home", "Home", "/", "list_runs"),
    Section("inbox", "Inbox", "/inbox", "list_questions"),
    Section("failures", "Failures", "/failures", "list_dead_letters"),
    Section("agents", "Agents", "/agents", "list_agents"),
    Section("assistants", "Assistants", "/assistants", "list_assistants"),
    Section("runs", "Runs", "/runs", "list_runs"),
    Section("sessions", "Sessions", "/sessions", "list_sessions"),
    Section("deployments", "Deployments", "/deployments", "list_deployments"),
    Section("schedules", "Schedules", "/schedules", "list_schedules"),
    Section("workers", "Workers", "/workers", "list_workers"),
)


def sections_for(may: Callable[[str], bool]) -> Sequence[Section]:
    return [section for section in SECTIONS if may(section.needs)]
