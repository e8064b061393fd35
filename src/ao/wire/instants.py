"""Moments in requests."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

_ISO = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
FIRST_YEAR, LAST_YEAR = 1970, 2999


def _iso(value: object) -> object:
    """Numbers would be taken for seconds, or milliseconds, since 1970: which, depends on their size."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and _ISO.fullmatch(value)):
        raise ValueError("write it as 2026-11-21T09:30:00Z")
    return value


def _our_times(moment: datetime) -> datetime:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"is not a year from {FIRST_YEAR} to {LAST_YEAR}")
    return moment


Instant = Annotated[AwareDatetime, BeforeValidator(_iso)]
PlanInstant = Annotated[Instant, AfterValidator(_our_times)]
"""One that is calculated with."""
