"""Guards: a deletion above a limit is held until a person decides. The most specific setting applies."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from psycopg import AsyncConnection, Connection
from psycopg.rows import class_row

from openfaith_pipeline.errors import UsageError

ANY: Final = "*"


@dataclass(frozen=True)
class Guard:
    """Hold a deletion larger than both this share of a stream's rows and this number of rows.

    org_id, stream: where it applies; `*` for all without a guard of their own.
    """

    org_id: str
    stream: str
    largest_share: float
    largest_number: int

    def holds(self, missing: int, rows: int) -> bool:
        """Whether a deletion of `missing` out of `rows` rows waits for a person."""
        return missing > max(self.largest_number, self.largest_share * rows)


DEFAULT: Final = Guard(ANY, ANY, 0.3, 50)

_COLUMNS: Final = "SELECT org_id, stream, largest_share, largest_number FROM sync.delete_guards"


_FIRST_SET: Final = f"""{_COLUMNS} WHERE org_id IN (%(org)s, %(any)s) AND stream IN (%(stream)s, %(any)s)
ORDER BY (stream = %(any)s)::int * 2 + (org_id = %(any)s)::int LIMIT 1"""


async def guard_of(connection: AsyncConnection[Any], org_id: str, stream: str) -> Guard:
    """The first one set of: the org's for the stream, the stream's, the org's, the general one; else the default."""
    async with connection.cursor(row_factory=class_row(Guard)) as cursor:
        await cursor.execute(_FIRST_SET, {"org": org_id, "stream": stream, "any": ANY})
        return await cursor.fetchone() or DEFAULT


def guards_of(connection: Connection[Any], org_id: str, streams: Iterable[str]) -> list[Guard]:
    """Like `guard_of`, for each stream."""
    with connection.cursor(row_factory=class_row(Guard)) as cursor:
        found = (cursor.execute(_FIRST_SET, {"org": org_id, "stream": each, "any": ANY}) for each in streams)
        return [each.fetchone() or DEFAULT for each in found]


def list_guards(connection: Connection[Any]) -> list[Guard]:
    """The guards that were set, and the default unless a general one was."""
    with connection.cursor(row_factory=class_row(Guard)) as cursor:
        found = cursor.execute(f"{_COLUMNS} ORDER BY org_id, stream").fetchall()
    is_set = any((guard.org_id, guard.stream) == (ANY, ANY) for guard in found)
    return found if is_set else [DEFAULT, *found]


def set_guard(connection: Connection[Any], guard: Guard) -> None:
    """Set a guard. Raises UsageError for a share outside 0 to 1 or a negative number."""
    if not 0 <= guard.largest_share <= 1:
        raise UsageError(f"a share of rows is between 0 and 1, such as 0.3, not {guard.largest_share:g}")
    if guard.largest_number < 0:
        raise UsageError("a number of rows cannot be negative")
    connection.execute(
        "INSERT INTO sync.delete_guards (org_id, stream, largest_share, largest_number) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (org_id, stream) DO UPDATE SET largest_share = excluded.largest_share,"
        " largest_number = excluded.largest_number",
        (guard.org_id, guard.stream, guard.largest_share, guard.largest_number),
    )


def reset_guard(connection: Connection[Any], org_id: str, stream: str) -> None:
    """Remove a guard, so that the next more general one applies."""
    connection.execute("DELETE FROM sync.delete_guards WHERE org_id = %s AND stream = %s", (org_id, stream))
