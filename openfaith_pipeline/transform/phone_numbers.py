"""The E.164 form of phone numbers that come without one, worked out for a whole org at once."""

from functools import partial

import phonenumbers
from psycopg import sql

from openfaith_pipeline.canonical.model import Entity
from openfaith_pipeline.canonical.rules import Phone
from openfaith_pipeline.transform.enrichment import Enrichment
from openfaith_pipeline.transform.values import is_e164
from openfaith_pipeline.transform.workspace import Workspace


def format_e164(number: str, country_code: str | None) -> str | None:
    """The number as E.164, None when it is not a possible number or has no known country."""
    try:
        parsed = phonenumbers.parse(number, country_code.upper() if country_code else None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def phones_of(entity: Entity) -> list[Enrichment]:
    """The numbers worked out, as `computed.number`, for an entity that has a Phone."""
    join = sql.SQL("LEFT JOIN pg_temp.transform_e164 computed ON computed.id = r.id")
    found = (rule for rule in entity.columns.values() if isinstance(rule, Phone))
    return [Enrichment(partial(_prepare, entity, rule), join) for rule in found]


def _prepare(entity: Entity, rule: Phone, workspace: Workspace) -> None:
    unformatted = sql.SQL(
        "SELECT r.id, {number}, {country} FROM {raw} r"
        " WHERE r.org_id = %(org_id)s AND {number} IS NOT NULL AND ({is_e164}) IS NOT TRUE AND {among}"
    ).format(
        number=sql.Identifier("r", rule.number),
        country=sql.Identifier("r", rule.country),
        raw=workspace.raw(entity.stream),
        is_e164=is_e164(rule.e164),
        among=workspace.among(entity.stream, sql.Identifier("r", "id")),
    )
    workspace.create("transform_e164", sql.SQL("(id text, number text) ON COMMIT DROP"))
    workspace.copy("transform_e164", map(_formatted, workspace.batches(unformatted)))


def _formatted(rows: list[tuple[str, str, str | None]]) -> list[tuple[str, str]]:
    computed = ((record_id, format_e164(number, country)) for record_id, number, country in rows)
    return [(record_id, number) for record_id, number in computed if number]
