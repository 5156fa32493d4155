"""Secrets and personal data as the tests plant them, and the watch that finds them where they must not be.

The simulator's people and tokens, the tests' encryption key and all that is called `pl4nted` are looked for in each
test's log lines, spans, Dagster events and bookkeeping, in the output of its verbs and the logs of its processes.
"""

import logging
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from psycopg import Connection, Cursor
from psycopg.rows import tuple_row
from sqlalchemy import Text

from openfaith_pipeline.database.bookkeeping import METADATA
from openfaith_pipeline.simulator import personas

ENCRYPTION_KEY: Final = "b3BlbmZhaXRoLXRlc3RzLW1hZGUtdXAta2V5LTMyLWI="

# In the dialect that Python and Postgres share.
SECRETS: Final = "|".join(
    (
        "simulated-(access|refresh|code)-[0-9a-f]{8}",
        "made-up-[0-9a-f]{16}",
        "made-up-oauth-secret",
        "pl4nted",
        re.escape(ENCRYPTION_KEY),
    )
)
PERSONAL: Final = "|".join(
    (
        "[a-z]+[0-9]+@example[.](org|com)",
        "555-01[0-9][0-9]",
        f"({'|'.join(personas._LAST_STARTS)})({'|'.join(personas._LAST_ENDS)})[^a-z]",
        "Zacharias",
    )
)
EITHER: Final = f"{SECRETS}|{PERSONAL}"

_TELLING: Final = re.compile(r"(^|_)(error|reason|message|mend|comment|requested)$")


def found_in(text: str, pattern: str = EITHER) -> str | None:
    """The first planted value in a text, with some context."""
    found = re.search(pattern, text)
    return text[max(0, found.start() - 60) : found.end() + 20] if found else None


class Watch(logging.Handler, SpanProcessor):
    """Listens to every log line and span of this process. leaks: those found since `take`."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.leaks: list[str] = []

    def begin(self) -> None:
        logging.getLogger().addHandler(self)
        logging.getLogger("openfaith_pipeline").setLevel(logging.DEBUG)
        provider = TracerProvider()
        provider.add_span_processor(self)
        trace.set_tracer_provider(provider)

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text += logging.Formatter().formatException(record.exc_info)
        self._note(f"log line of {record.name}", text)

    def on_end(self, span: ReadableSpan) -> None:
        self._note(f"span {span.name}", f"{span.name} {span.attributes} {span.events} {span.status.description}")

    def take(self) -> list[str]:
        taken, self.leaks = self.leaks, []
        return taken

    def _note(self, where: str, text: str) -> None:
        found = found_in(text)
        if found:
            self.leaks.append(f"{where}: {found}")


def leaks_of_database(connection: Connection[Any]) -> list[str]:
    """Planted values in Dagster's events and tags, and in the bookkeeping that people see."""
    leaks: list[str] = []
    with connection.cursor(row_factory=tuple_row) as cursor:
        for table, column in _told_columns(cursor):
            query = f'SELECT substring("{column}"::text from %s) FROM {table} WHERE "{column}"::text ~ %s LIMIT 3'  # noqa: S608
            leaks += [
                f"{table}.{column}: {found}" for (found,) in cursor.execute(query, (f"(.{{0,60}}({EITHER}))", EITHER))
            ]
    return leaks


# Without tables that nothing was ever written to: in the database of a test, nearly all.
_PRESENT: Final = """
SELECT name FROM unnest(%s::text[]) AS name WHERE pg_relation_size(to_regclass(name)) > 0
    OR EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = to_regclass(name))
"""


def _told_columns(cursor: Cursor[tuple[str]]) -> list[tuple[str, str]]:
    told = _all_told_columns()
    tables = {table for (table,) in cursor.execute(_PRESENT, (sorted({table for table, _ in told}),))}
    return [(table, column) for table, column in told if table in tables]


@cache
def _all_told_columns() -> tuple[tuple[str, str], ...]:
    ours = [
        (f"{table.schema}.{table.name}", column.name)
        for table in METADATA.sorted_tables
        for column in table.columns
        if isinstance(column.type, Text) and _TELLING.search(column.name)
    ]
    return (*ours, ("dagster.event_logs", "event"), ("dagster.run_tags", "value"), ("dagster.job_ticks", "tick_body"))


def leaks_of_files(home: Path) -> list[str]:
    """Planted things in the logs that processes have left under a home."""
    logs = sorted({*home.rglob("*.log"), *(home / "logs").glob("*")})
    texts = ((path, path.read_text(errors="replace")) for path in logs if path.is_file())
    return [f"{path.name}: {found}" for path, text in texts if (found := found_in(text))]
