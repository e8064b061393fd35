"""Identifiers: one NewType per thing, all made here.

Ids are UUIDv7 in canonical text form (RFC 9562, section 5.7): they sort by time of creation, which is
what keyset pages and partitions rely on. Numbers that people type (deployment versions) are plain ints.
"""

import os
import time
from typing import NewType

RunId = NewType("RunId", str)
DeploymentId = NewType("DeploymentId", str)
WorkerId = NewType("WorkerId", str)
ProcessId = NewType("ProcessId", str)
ScheduleId = NewType("ScheduleId", str)
ApiKeyId = NewType("ApiKeyId", str)
QuestionId = NewType("QuestionId", str)
DeliveryId = NewType("DeliveryId", str)
Digest = NewType("Digest", str)
"""`sha256:` followed by 64 lower-case hexadecimal digits."""


_last_stamp = 0


def uuid7() -> str:
    """A new UUID as canonical text: 48 bits of Unix milliseconds, 12 bits of their fraction, 62 random.

    Ids made by one process sort in the order in which they were made (RFC 9562, section 6.2, method 3),
    also when the clock steps back.
    """
    global _last_stamp  # noqa: PLW0603  (two threads may share a stamp: the random bits still differ)
    milliseconds, rest_ns = divmod(time.time_ns(), 1_000_000)
    stamp = max(milliseconds << 12 | (rest_ns << 12) // 1_000_000, _last_stamp + 1)
    _last_stamp = stamp
    value = (stamp >> 12 & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76
    value |= (stamp & 0xFFF) << 64
    value |= 0b10 << 62
    value |= int.from_bytes(os.urandom(8), "big") >> 2
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def first_id_at(instant_us: int) -> str:
    """What every id that was made at this instant or later sorts after, and every earlier one before."""
    digits = f"{max(0, instant_us) // 1000:012x}"
    return f"{digits[:8]}-{digits[8:]}-"


def new_run_id() -> RunId:
    return RunId(uuid7())


def new_deployment_id() -> DeploymentId:
    return DeploymentId(uuid7())


def new_worker_id() -> WorkerId:
    return WorkerId(uuid7())


def new_process_id() -> ProcessId:
    return ProcessId(uuid7())


def new_schedule_id() -> ScheduleId:
    return ScheduleId(uuid7())


def new_question_id() -> QuestionId:
    return QuestionId(uuid7())


def new_api_key_id() -> ApiKeyId:
    return ApiKeyId(uuid7())
