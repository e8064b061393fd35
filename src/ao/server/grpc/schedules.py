"""`ao.v1.ScheduleService`: what runs by itself, and when next."""

from ao.server.grpc.methods import Method, Service, items
from ao.server.operations.schedules import ScheduleOperations, SchedulesQuery
from ao.server.services import Services


def schedule_service(services: Services) -> Service:
    schedules = ScheduleOperations(services)
    return {"ListSchedules": Method("list_schedules", SchedulesQuery, items(schedules.list))}
