"""Questions of docs/questions.md with their answers, at the end of the demo."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.catalog.view import Question
from openfaith_pipeline.cli import terminal
from openfaith_pipeline.database import Database
from openfaith_pipeline.orgs.registry import Org
from openfaith_pipeline.sources import QUESTIONS, VIEWS

_QUESTIONS_SHOWN: Final = 3
_ROWS_SHOWN: Final = 5


def print_answers(database: Database, org: Org) -> None:
    """The first questions that have an answer for this church, with the first rows of each."""
    with database.connect() as connection:
        if not _has_views(connection, database.settings.views_schema):
            return
        answers = [(question, *_answer(connection, database, org, question)) for question in QUESTIONS]
    answered = [each for each in answers if each[2]]
    for question, columns, rows in answered[:_QUESTIONS_SHOWN]:
        numbers = [name for name, value in zip(columns, rows[0], strict=True) if isinstance(value, int | Decimal)]
        shown = [[_written(value) for value in row] for row in rows[:_ROWS_SHOWN]]
        terminal.output().print()
        terminal.output().print(terminal.table(columns, shown, title=f"{org.name}: {question.title}", numbers=numbers))


def _answer(
    connection: Connection[Any], database: Database, org: Org, question: Question
) -> tuple[list[str], Sequence[Sequence[Any]]]:
    query = sql.SQL(question.sql).format(schema=sql.Identifier(database.settings.views_schema))
    cursor = connection.execute(query, {"org_id": org.org_id})
    return [column.name for column in cursor.description or ()], cursor.fetchall()


def _has_views(connection: Connection[Any], schema: str) -> bool:
    """Whether all views exist: a Postgres may be too old for them."""
    found = "SELECT count(*) FROM pg_views WHERE schemaname = %s AND viewname = ANY(%s)"
    return connection.execute(found, (schema, list(VIEWS))).fetchone() == (len(VIEWS),)


def _written(value: Any) -> str:
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return f"{value:,}"
    return value.isoformat() if isinstance(value, date) else "" if value is None else str(value)
