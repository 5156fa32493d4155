"""Phone number: `number` is E.164, as the source gives it or worked out here where it gives none."""

import phonenumbers
from psycopg import sql

from openfaith_pipeline.planning_center.streams import people
from openfaith_pipeline.transform.entity import Column, Enrichment, Entity, or_false, taken
from openfaith_pipeline.transform.workspace import Workspace

_TAG = "phoneNumber"
_IS_E164 = sql.SQL("r.e164 ~ '^[+][1-9][0-9]{1,14}$'")


def format_e164(number: str, country_code: str | None) -> str | None:
    """The number as E.164, None when it is no possible number or has no known country."""
    try:
        parsed = phonenumbers.parse(number, country_code.upper() if country_code else None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _prepare_e164(workspace: Workspace) -> None:
    unformatted = sql.SQL(
        "SELECT r.id, r.number, r.country_code FROM {} r"
        " WHERE r.org_id = %(org_id)s AND r.number IS NOT NULL AND ({}) IS NOT TRUE AND {}"
    ).format(workspace.raw(people.PHONE_NUMBERS), _IS_E164, workspace.among(_TAG, sql.Identifier("r", "id")))
    workspace.create("transform_e164", sql.SQL("(id text, number text) ON COMMIT DROP"))
    workspace.copy("transform_e164", map(_formatted, workspace.batches(unformatted)))


def _formatted(rows: list[tuple[str, str, str | None]]) -> list[tuple[str, str]]:
    computed = ((record_id, format_e164(number, country)) for record_id, number, country in rows)
    return [(record_id, number) for record_id, number in computed if number]


PHONE_NUMBERS = Entity(
    table="phoneNumbers",
    tag=_TAG,
    stream=people.PHONE_NUMBERS,
    columns={
        "number": Column(
            ("e164", "number"),
            sql.SQL("CASE WHEN {} THEN r.e164 ELSE computed.number END").format(_IS_E164),
            is_lossy=True,
        ),
        "countryCode": taken("country_code"),
        "location": taken("location"),
        "primary": or_false("primary"),
    },
    enrichments=(
        Enrichment(
            prepare=_prepare_e164, join=sql.SQL("LEFT JOIN pg_temp.transform_e164 computed ON computed.id = r.id")
        ),
    ),
)
