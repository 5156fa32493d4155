"""The roles of the server, and the logins of people and programs that read.

A login is a role of the server and a row of `sync.readers`, which says which orgs it sees. Its password is made here
and kept in the home, in a file of its own: no server gives one back.
"""

import re
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import Connection, sql

from openfaith_pipeline.database.access.alignment import align_access
from openfaith_pipeline.database.access.names import ALL_ORGS, LOGINS, READER, READER_NO_GIVING, READERS, ROLES, WRITER
from openfaith_pipeline.database.access.passwords import forget_password, keep_password
from openfaith_pipeline.database.connection import Database
from openfaith_pipeline.database.migration import turn_of_upgrades
from openfaith_pipeline.database.owner import OWNER, hand_over
from openfaith_pipeline.errors import ConfigurationError, UsageError

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")

_NAMED: Final = 10
"""Maximum number of objects named in a refusal."""

_LIST: Final = """
SELECT r.login, r.sees_giving, r.sees_all_orgs,
    ARRAY(SELECT org_id FROM sync.reader_orgs AS o WHERE o.login = r.login ORDER BY org_id),
    EXISTS (SELECT FROM pg_roles WHERE rolname = r.login)
FROM sync.readers AS r ORDER BY r.login
"""
_REGISTER: Final = """
INSERT INTO sync.readers (login, sees_giving, sees_all_orgs) VALUES (%s, %s, %s)
ON CONFLICT (login) DO UPDATE SET sees_giving = excluded.sees_giving, sees_all_orgs = excluded.sees_all_orgs
"""
# A role that may do more than read must not be taken for a reader.
_OF_THE_SERVER: Final = """
SELECT rolcanlogin, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls,
    ARRAY(SELECT m.roleid::regrole::text FROM pg_auth_members AS m WHERE m.member = r.oid)
FROM pg_roles AS r WHERE rolname = %s
"""


@dataclass(frozen=True)
class Reader:
    """A login that reads. has_role: whether the server knows it; not so after a restore into another server."""

    login: str
    sees_giving: bool
    sees_all_orgs: bool
    org_ids: tuple[str, ...]
    has_role: bool


def make_roles(database: Database) -> list[str]:
    """Create everything missing: our roles, their grants and policies, and the roles of registered readers.

    Returns the tables that readers may not be given, with the reason.
    """
    with _administrator(database) as administrator:
        for role in ROLES:
            if _of_the_server(administrator, role) is None:
                _create(administrator, role, can_login=role in LOGINS)
                if role in LOGINS:
                    _set_password(database, administrator, role)
        refused = align(database)
        with database.connect(autocommit=True) as connection:
            for login in READERS:
                connection.execute(
                    "INSERT INTO sync.readers (login, sees_giving, sees_all_orgs) VALUES (%s, %s, false)"
                    " ON CONFLICT DO NOTHING",
                    (login, login == READER),
                )
        for reader in list_readers(database):
            _make_login(database, administrator, reader)
    return refused


def make_owner(database: Database) -> None:
    """Hand a database created by a superuser, with everything in it, over to `openfaith_owner`, which is not one.

    Raises UsageError if the configured user is not a superuser.
    """
    if database.administrator_url and database.settings.is_embedded:
        raise UsageError("the embedded Postgres works as openfaith_owner already")
    with psycopg.connect(database.url, autocommit=True) as connection:
        if connection.info.parameter_status("is_superuser") != "on":
            raise UsageError(f"{connection.info.user} is not a superuser: there is nothing to hand over")
        is_new = _of_the_server(connection, OWNER) is None
        password = secrets.token_urlsafe(24)
        hand_over(connection, password, connection.info.user)
    if is_new:
        keep_password(database.settings, OWNER, password)


def align(database: Database) -> list[str]:
    """Align grants and policies; upgrades and alignments wait for each other."""
    settings = database.settings
    with turn_of_upgrades(database) as connection:
        return align_access(connection, settings.canonical_schema, settings.views_schema)


def put_reader(database: Database, login: str, org_ids: Collection[str], *, sees_giving: bool, sees_all: bool) -> None:
    """Create a reader, or have one see these orgs from now on and no others."""
    _check_name(login, sees_giving=sees_giving)
    with _administrator(database) as administrator:
        _check_role(database, administrator, login)
        reader = Reader(login, sees_giving, sees_all, tuple(org_ids), True)
        _make_login(database, administrator, reader)
    with database.connect() as connection:
        connection.execute(_REGISTER, (login, sees_giving, sees_all))
        connection.execute("DELETE FROM sync.reader_orgs WHERE login = %s", (login,))
        for org_id in org_ids:
            connection.execute("INSERT INTO sync.reader_orgs (login, org_id) VALUES (%s, %s)", (login, org_id))


def remove_reader(database: Database, login: str) -> None:
    """Drop a reader that was added; at their next statement, its open connections no longer see anything.

    Raises UsageError, with nothing changed, if the reader owns objects or was granted some by hand.
    """
    known = {reader.login for reader in list_readers(database)}
    if login not in known or login in READERS:
        raise UsageError(f"{login} is not a reader that can be removed; `db roles list` shows the readers")
    with _administrator(database) as administrator:
        if _of_the_server(administrator, login):
            _drop(administrator, login)
    with database.connect() as connection:
        connection.execute("DELETE FROM sync.readers WHERE login = %s", (login,))
    forget_password(database.settings, login)


def renew_password(database: Database, login: str) -> None:
    """Give a login of ours a new password; the old one stops working."""
    if login not in {WRITER, *(reader.login for reader in list_readers(database))}:
        raise UsageError(f"{login} is not a login of this database; `db roles list` shows the readers")
    with _administrator(database) as administrator:
        if _of_the_server(administrator, login) is None:
            raise UsageError(f"the server has no role {login}: `db roles` creates it")
        _set_password(database, administrator, login)


def list_readers(database: Database) -> list[Reader]:
    """All registered readers, by name."""
    with database.connect() as connection:
        rows = connection.execute(_LIST).fetchall()
    return [Reader(login, giving, everything, tuple(orgs), known) for login, giving, everything, orgs, known in rows]


def _check_name(login: str, *, sees_giving: bool) -> None:
    if not _NAME.fullmatch(login) or login.startswith("pg_") or login in {WRITER, ALL_ORGS}:
        raise UsageError(
            f"{login!r} cannot be a reader's name: use lowercase letters, digits and _, at most 63 characters"
        )
    if login in READERS and (login == READER) != sees_giving:
        raise UsageError(f"{READER} sees giving and {READER_NO_GIVING} does not; choose the other of them")


def _check_role(database: Database, administrator: Connection[Any], login: str) -> None:
    """Refuse a role that was not created as one of our readers: it may have rights that no policy limits."""
    found = _of_the_server(administrator, login)
    if found is None:
        return
    can_login, may_do_more, memberships = found
    is_plain = can_login and not may_do_more and {*memberships} <= {*READERS, ALL_ORGS}
    is_ours = login in READERS or login in {reader.login for reader in list_readers(database)}
    if not (is_plain and (is_ours or {*memberships} & {*READERS})):
        raise UsageError(f"the server already has a role {login}, which is not one of our readers: choose another name")


def _make_login(database: Database, administrator: Connection[Any], reader: Reader) -> None:
    if _of_the_server(administrator, reader.login) is None:
        _create(administrator, reader.login, can_login=True)
        _set_password(database, administrator, reader.login)
    if reader.login in READERS:
        _put_member(administrator, ALL_ORGS, reader.login, is_wanted=reader.sees_all_orgs)
        return
    _put_member(administrator, READER, reader.login, is_wanted=reader.sees_giving)
    _put_member(administrator, READER_NO_GIVING, reader.login, is_wanted=not reader.sees_giving)
    _put_member(administrator, ALL_ORGS, reader.login, is_wanted=reader.sees_all_orgs)


def _put_member(administrator: Connection[Any], group: str, login: str, *, is_wanted: bool) -> None:
    found = _of_the_server(administrator, login)
    if (group in (found[2] if found else ())) == is_wanted:
        return
    statement = "GRANT {} TO {}" if is_wanted else "REVOKE {} FROM {}"
    administrator.execute(sql.SQL(statement).format(sql.Identifier(group), sql.Identifier(login)))


def _create(administrator: Connection[Any], role: str, *, can_login: bool) -> None:
    kind = sql.SQL("LOGIN" if can_login else "NOLOGIN")
    administrator.execute(
        sql.SQL("CREATE ROLE {} {} NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT NOREPLICATION NOBYPASSRLS").format(
            sql.Identifier(role), kind
        )
    )


def _drop(administrator: Connection[Any], login: str) -> None:
    try:
        administrator.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))
    except psycopg.errors.DependentObjectsStillExist as error:
        depending = (error.diag.message_detail or "").splitlines()
        more = f" and {len(depending) - _NAMED} more" if len(depending) > _NAMED else ""
        raise UsageError(
            f"{login} was not removed, as it has more than `db roles` gave it: {'; '.join(depending[:_NAMED])}{more}."
            f' As an administrator of the server run REASSIGN OWNED BY "{login}" TO CURRENT_USER;'
            f' DROP OWNED BY "{login}"; in each database with some of it, and again: db roles remove {login}'
        ) from None


def _set_password(database: Database, administrator: Connection[Any], login: str) -> None:
    """The server is sent the verifier only, so that no log of it has the password."""
    password = secrets.token_urlsafe(24)
    verifier = administrator.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256")
    keep_password(database.settings, login, password)
    administrator.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(login), sql.Literal(verifier.decode()))
    )


def _of_the_server(connection: Connection[Any], role: str) -> tuple[bool, bool, list[str]] | None:
    return connection.execute(_OF_THE_SERVER, (role,)).fetchone()


@contextmanager
def _administrator(database: Database) -> Iterator[Connection[Any]]:
    """A connection that may create roles: of the embedded server's superuser, or else the configured user's."""
    try:
        with psycopg.connect(database.administrator_url or database.url, autocommit=True) as connection:
            yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        user = database.settings.db_username
        raise ConfigurationError(
            f"the user {user} may not create roles: {error.diag.message_primary}."
            f' As an administrator of the server run ALTER ROLE "{user}" CREATEROLE, and again: db roles'
        ) from None
