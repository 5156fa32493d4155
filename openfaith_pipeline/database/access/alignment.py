"""Alignment of grants and policies with the rules, in the same upgrade that creates the tables and views.

Does nothing on a server that has none of our roles. The owner is not subject to its own policies, so a sync is as fast
with them as without.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection, sql

from openfaith_pipeline.database.access.names import READERS, ROLES, WRITER
from openfaith_pipeline.database.access.rules import Policy, Rules, rules_of_readers, schemas_of_readers
from openfaith_pipeline.database.access.writing import grant_to_writer
from openfaith_pipeline.database.canonical_tables import CANONICAL_PREFIX

_HAS_ROLES: Final = "SELECT count(*) FROM pg_roles WHERE rolname = ANY(%s)"

# The grants of others than the owner, '' being everyone; partitions are reached through their parents only. A reader
# that was granted a table by hand is still a reader, and gets no policy of others.
_LIVE: Final = """
SELECT n.nspname, c.relname, c.relkind = 'v' AS is_view, c.relrowsecurity,
    c.relowner = (SELECT nspowner FROM pg_namespace WHERE nspname = 'sync') AS is_ours,
    ARRAY(SELECT DISTINCT coalesce(r.rolname, '') || ' ' || a.privilege_type
        FROM aclexplode(c.relacl) AS a LEFT JOIN pg_roles AS r ON r.oid = a.grantee
        WHERE a.grantee <> c.relowner AND (r.rolname = ANY(%(ours)s)
            OR NOT EXISTS (SELECT FROM sync.readers WHERE login = r.rolname))) AS grants,
    ARRAY(SELECT r.rolname || ' ' || att.attname FROM pg_attribute AS att, aclexplode(att.attacl) AS a
        JOIN pg_roles AS r ON r.oid = a.grantee
        WHERE att.attrelid = c.oid AND a.privilege_type = 'SELECT') AS column_grants,
    ARRAY(SELECT p.polname || ' ' || coalesce(obj_description(p.oid, 'pg_policy'), '')
        FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polname LIKE 'openfaith%%') AS policies
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
"""

_CLOSED: Final = Rules({})


@dataclass(frozen=True)
class Relation:
    """A table or view as it is. grants: (role, privilege); column_grants: (role, column) of SELECT.

    policies: name -> the digest of its definition.
    """

    schema: str
    name: str
    is_view: bool
    has_row_security: bool
    is_ours: bool
    grants: frozenset[tuple[str, str]]
    column_grants: frozenset[tuple[str, str]]
    policies: Mapping[str, str]

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    @property
    def others(self) -> tuple[str, ...]:
        """Roles other than ours that were granted rights; '' stands for everyone."""
        return tuple(sorted({role for role, _ in self.grants} - {*ROLES}))


def align_access(connection: Connection[Any], canonical_schema: str, views_schema: str) -> list[str]:
    """Bring grants and policies up to the rules; return the tables that readers may not be given, with the reason.

    connection: the owner's, in autocommit.
    """
    if connection.execute(_HAS_ROLES, (list(ROLES),)).fetchone() != (len(ROLES),):
        return []
    schemas = schemas_of_readers(canonical_schema, views_schema)
    rules = rules_of_readers(canonical_schema, views_schema)
    refused: list[str] = []
    with connection.transaction():
        for statement in _of_schemas(connection, schemas):
            connection.execute(statement)
        for relation in read_relations(connection, schemas):
            wanted = rules.get((relation.schema, relation.name), _CLOSED)
            reason = _refusal(relation) if wanted is not _CLOSED else None
            if reason:
                refused.append(f"{relation.schema}.{relation.name}: {reason}")
            for statement in _changes(relation, _CLOSED if reason else wanted):
                connection.execute(statement)
        grant_to_writer(connection, schemas)
    return refused


def read_relations(connection: Connection[Any], schemas: Iterable[str]) -> list[Relation]:
    """The tables and views of these schemas."""
    return [
        Relation(schema, name, is_view, has_security, is_ours, _pairs(grants), _pairs(of_columns), dict(_pairs(made)))
        for schema, name, is_view, has_security, is_ours, grants, of_columns, made in connection.execute(
            _LIVE, {"schemas": list(schemas), "ours": [*ROLES]}
        ).fetchall()
    ]


def _pairs(entries: Iterable[str]) -> frozenset[tuple[str, str]]:
    return frozenset((first, second) for first, _, second in (entry.partition(" ") for entry in entries))


def _of_schemas(connection: Connection[Any], schemas: Iterable[str]) -> Iterator[sql.Composed]:
    roles = sql.SQL(", ").join(map(sql.Identifier, READERS))
    for schema in schemas:
        if connection.execute("SELECT to_regnamespace(quote_ident(%s))", (schema,)).fetchone() != (None,):
            yield sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), roles)
    yield sql.SQL("GRANT EXECUTE ON FUNCTION sync.readable_orgs(), sync.reads_all_orgs() TO {}, {}").format(
        roles, sql.Identifier(WRITER)
    )


def _refusal(relation: Relation) -> str | None:
    """Why row-level security would not hold, or would take rows from programs that see them now."""
    if not relation.is_ours:
        return "it belongs to another role"
    if "" in relation.others and not relation.is_view:
        return "everyone may read it: it was granted to PUBLIC"
    if relation.others and relation.name.startswith(CANONICAL_PREFIX):
        return f"the application reads it as {', '.join(relation.others)}"
    return None


def _changes(relation: Relation, rules: Rules) -> Iterator[sql.Composed]:
    if not relation.is_ours:
        return
    yield from _changed_policies(relation, rules)
    for role in READERS:
        yield from _changed_grants(relation, role, rules)


def _changed_policies(relation: Relation, rules: Rules) -> Iterator[sql.Composed]:
    wanted = {policy.name: policy for policy in (*rules.policies, *_for_others(relation, rules))}
    if wanted and not relation.has_row_security:
        yield sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(relation.identifier)
    for name in relation.policies.keys() - wanted.keys():
        yield sql.SQL("DROP POLICY {} ON {}").format(sql.Identifier(name), relation.identifier)
    for name, policy in wanted.items():
        digest = _digest(policy)
        if relation.policies.get(name) != digest:
            yield from _policy_made(relation, policy, digest)
    if relation.policies and not wanted and relation.has_row_security:
        yield sql.SQL("ALTER TABLE {} DISABLE ROW LEVEL SECURITY").format(relation.identifier)


def _for_others(relation: Relation, rules: Rules) -> Iterator[Policy]:
    """A policy for roles that were granted the table by hand: they see the same rows as before."""
    if rules.policies and relation.others:
        yield Policy("openfaith_others", sql.SQL("true"), relation.others, is_for_writes=True)


def _policy_made(relation: Relation, policy: Policy, digest: str) -> Iterator[sql.Composed]:
    name, table = sql.Identifier(policy.name), relation.identifier
    if policy.name in relation.policies:
        yield sql.SQL("DROP POLICY {} ON {}").format(name, table)
    yield sql.SQL("CREATE POLICY {} ON {} AS {} FOR {} TO {} USING ({})").format(
        name,
        table,
        sql.SQL("RESTRICTIVE" if policy.is_restrictive else "PERMISSIVE"),
        sql.SQL("ALL" if policy.is_for_writes else "SELECT"),
        sql.SQL(", ").join(map(sql.Identifier, policy.roles)),
        policy.using,
    )
    yield sql.SQL("COMMENT ON POLICY {} ON {} IS {}").format(name, table, sql.Literal(digest))


def _digest(policy: Policy) -> str:
    return hashlib.sha256(repr(policy).encode()).hexdigest()[:16]


def _changed_grants(relation: Relation, role: str, rules: Rules) -> Iterator[sql.Composed]:
    """Grants of columns and of the table; whatever else the role was given is taken away."""
    has_all = (role, "SELECT") in relation.grants
    has = {column for grantee, column in relation.column_grants if grantee == role}
    given = rules.columns.get(role, ())
    wants_all, wants = given is None, {*(given or ())}
    has_more = any(grantee == role and privilege != "SELECT" for grantee, privilege in relation.grants)
    if (has_all, has) == (wants_all, wants) and not has_more:
        return
    target, grantee = relation.identifier, sql.Identifier(role)
    if has_all or has or has_more:
        yield sql.SQL("REVOKE ALL ON {} FROM {}").format(target, grantee)
    if wants_all or wants:
        columns = (
            sql.SQL(" ({})").format(sql.SQL(", ").join(map(sql.Identifier, sorted(wants)))) if wants else sql.SQL("")
        )
        yield sql.SQL("GRANT SELECT{} ON {} TO {}").format(columns, target, grantee)
