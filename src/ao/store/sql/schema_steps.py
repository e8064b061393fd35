"""The part of the schema about what runs record and ask."""

from sqlalchemy import Index, Table, text

from ao.store.sql.columns import int_column as _int
from ao.store.sql.columns import metadata
from ao.store.sql.columns import small_column as _small
from ao.store.sql.columns import text_column as _text

run_step = Table(
    "run_step",
    metadata,
    _text("run_id", key=True),
    _text("path", key=True),
    _text("parent", null=True),
    _text("name"),
    _text("step_key", null=True),
    _text("kind"),
    _text("state"),
    _int("attempt"),
    _int("first_us"),
    _int("started_us"),
    _int("finished_us", null=True),
    _text("fingerprint"),
    _small("once"),
    _text("value", null=True),
    _text("value_blob", null=True),
    _text("error", null=True),
    comment="What no later execution of a run does again. A completed step never changes.",
)

run_question = Table(
    "run_question",
    metadata,
    _text("question_id", key=True),
    _text("run_id"),
    _text("path"),
    _text("kind"),
    _text("state"),
    _text("text"),
    _text("schema", null=True),
    _text("details", null=True),
    _text("fingerprint"),
    _int("asked_us"),
    _int("deadline_us", null=True),
    _int("ended_us", null=True),
    _text("actor", null=True),
    _text("comment", null=True),
    Index("run_question_path", "run_id", "path", unique=True),
    comment="What runs ask people. The answer is the result of the step with the same path.",
)
_UNANSWERED = text("state = 'open'")
Index(
    "run_question_open",
    run_question.c.question_id,
    sqlite_where=_UNANSWERED,
    postgresql_where=_UNANSWERED,
)

run_timer = Table(
    "run_timer",
    metadata,
    _int("due_us", key=True),
    _text("run_id", key=True),
    sqlite_with_rowid=False,
    comment="Paused runs that go on at some instant even without an answer.",
)

dead_letter = Table(
    "dead_letter",
    metadata,
    _text("run_id", key=True),
    _text("agent"),
    _text("fingerprint"),
    _text("title"),
    _text("step"),
    _text("reason"),
    _int("at_us"),
    _text("replayed_by", null=True),
    _int("version", null=True),
    Index("dead_letter_fingerprint", "fingerprint", "run_id"),
    comment="Runs that failed for good.",
)
_NOT_REPLAYED = text("replayed_by IS NULL")
Index(
    "dead_letter_open",
    dead_letter.c.agent,
    dead_letter.c.fingerprint,
    dead_letter.c.at_us,
    dead_letter.c.version,
    dead_letter.c.run_id,
    dead_letter.c.replayed_by,
    sqlite_where=_NOT_REPLAYED,
    postgresql_where=_NOT_REPLAYED,
)
