"""`ao.v1.ScheduleService`: what runs by itself, and when next."""

from typing import Literal

from pydantic import Field

from ao.server.grpc.methods import Method, Service, answer, items
from ao.server.grpc.requests import OfAgent, part
from ao.server.operations.schedules import NextQuery, ScheduleOperations, SchedulesQuery, TicksQuery
from ao.server.services import Services
from ao.wire.schedules import BackfillRequest, PauseRequest, ScheduleCreate, SchedulePatch, TriggerRequest
from ao.wire.schemas import AGENT_NAME


class OfSchedule(OfAgent):
    name: str = Field(pattern=AGENT_NAME)


class UpdateSchedule(OfSchedule, SchedulePatch):
    clear: list[Literal["catch_up_seconds", "start_at", "end_at"]] = Field(default_factory=list)


class PauseSchedule(OfSchedule, PauseRequest):
    """Which one, and why."""


class TriggerSchedule(OfSchedule, TriggerRequest):
    """Which one."""


class BackfillSchedule(OfSchedule, BackfillRequest):
    """Which one, and what range."""


class ListTicks(OfSchedule, TicksQuery):
    """Of which one."""


class ListNext(OfSchedule, NextQuery):
    """Of which one."""


def schedule_service(services: Services) -> Service:
    schedules = ScheduleOperations(services)
    update = answer(
        lambda caller, asked: schedules.update(
            caller, asked.agent, asked.name, part(asked, SchedulePatch, asked.clear)
        )
    )
    delete = answer(lambda caller, asked: schedules.delete(caller, asked.agent, asked.name))
    pause = answer(lambda caller, asked: schedules.pause(caller, asked.agent, asked.name, asked))
    resume = answer(lambda caller, asked: schedules.resume(caller, asked.agent, asked.name))
    trigger = answer(lambda caller, asked: schedules.trigger(caller, asked.agent, asked.name, asked))
    backfill = answer(lambda caller, asked: schedules.backfill(caller, asked.agent, asked.name, asked))
    return {
        "ListSchedules": Method("list_schedules", SchedulesQuery, items(schedules.list)),
        "CreateSchedule": Method("create_schedule", ScheduleCreate, answer(schedules.create)),
        "GetSchedule": Method(
            "get_schedule", OfSchedule, answer(lambda _, asked: schedules.get(asked.agent, asked.name))
        ),
        "UpdateSchedule": Method("update_schedule", UpdateSchedule, update),
        "DeleteSchedule": Method("delete_schedule", OfSchedule, delete),
        "PauseSchedule": Method("pause_schedule", PauseSchedule, pause),
        "ResumeSchedule": Method("resume_schedule", OfSchedule, resume),
        "TriggerSchedule": Method("trigger_schedule", TriggerSchedule, trigger),
        "BackfillSchedule": Method("backfill_schedule", BackfillSchedule, backfill),
        "ListScheduleTicks": Method(
            "list_schedule_ticks",
            ListTicks,
            answer(lambda _, asked: schedules.ticks(asked.agent, asked.name, asked)),
        ),
        "ListNextTicks": Method(
            "list_next_ticks",
            ListNext,
            items(lambda _, asked: schedules.upcoming(asked.agent, asked.name, asked)),
        ),
    }
