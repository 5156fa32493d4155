"""The names of the roles that a database has besides its owner.

They belong to the whole server; which orgs a reader sees is kept in each database (`sync.readers`).
"""

from typing import Final

WRITER: Final = "openfaith_writer"
"""Reads and writes every row, and changes no table: enough for syncs."""

READER: Final = "openfaith_reader"
"""Reads the rows of its orgs."""

READER_NO_GIVING: Final = "openfaith_reader_no_giving"
"""Reads the rows of its orgs, and nothing about gifts."""

ALL_ORGS: Final = "openfaith_all_orgs"
"""Nobody connects as this: a reader that is a member, and is registered so, sees every org."""

READERS: Final = (READER, READER_NO_GIVING)
LOGINS: Final = (WRITER, *READERS)
ROLES: Final = (*LOGINS, ALL_ORGS)
