"""How large what the server keeps is."""

from datetime import datetime

from pydantic import Field

from ao.wire.schemas import Response


class TableSizeView(Response):
    name: str
    rows: int | None = Field(description="About; null when the database has not counted yet.")
    bytes: int | None = Field(description="About.")


class SizesView(Response):
    """Numbers are those that the database has at hand: no row is counted for them."""

    database_bytes: int
    reusable_bytes: int = Field(description="Of these, inside of the file and free for what comes.")
    tables: list[TableSizeView] = Field(description="`run` has inputs, `run_outcome` outputs, `run_event` logs")
    history_bytes: int = Field(description="Events with logs, and steps: what goes by age.")
    blobs: int
    blob_bytes: int
    disk_free_bytes: int = Field(description="Where the home is.")
    first_run_at: datetime | None
    history_since: datetime | None = Field(description="Of the oldest run that has its history still.")
    history_kept_days: float | None = Field(description="Null is for ever: see `AO_KEEP_HISTORY_DAYS`.")
    audit_kept_days: float | None
    warning: str = Field("", description="What should be looked at.")
    hint: str = ""
