"""The footprint as the API shows it."""

from ao.control.storage import DAY_US, Footprint, warning_of
from ao.server.views import moment
from ao.wire.sizes import SizesView, TableSizeView


def sizes_view(footprint: Footprint, *, own_disk: bool) -> SizesView:
    sizes, kept = footprint.sizes, footprint.kept
    warning, hint = warning_of(footprint, own_disk=own_disk)
    return SizesView.model_construct(
        database_bytes=sizes.total_bytes,
        reusable_bytes=sizes.reusable_bytes,
        tables=[
            TableSizeView.model_construct(name=table.name, rows=table.rows, bytes=table.bytes)
            for table in sizes.tables
        ],
        history_bytes=footprint.history_bytes,
        blobs=footprint.blobs,
        blob_bytes=footprint.blob_bytes,
        disk_free_bytes=footprint.free_bytes,
        first_run_at=moment(sizes.first_run_us),
        history_since=moment(sizes.history_since_us),
        history_kept_days=_days(kept.history_us),
        audit_kept_days=_days(kept.audit_us),
        warning=warning,
        hint=hint,
    )


def _days(amount_us: int | None) -> float | None:
    return None if amount_us is None else amount_us / DAY_US
