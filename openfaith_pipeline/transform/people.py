"""Person: who a church knows. The church's own fields (field data) become custom fields of the person."""

from psycopg import sql

from openfaith_pipeline.planning_center.streams import people
from openfaith_pipeline.transform.entity import Column, Entity, day, taken
from openfaith_pipeline.transform.field_data import FIELD_DATA_OF_PEOPLE

PEOPLE = Entity(
    table="people",
    tag="person",
    stream=people.PEOPLE,
    columns={
        "firstName": taken("first_name"),
        "middleName": taken("middle_name"),
        "lastName": taken("last_name"),
        "name": taken("name"),
        "gender": Column(
            ("gender",),
            sql.SQL(
                "CASE WHEN lower(r.gender) IN ('male', 'm') THEN 'male'"
                " WHEN lower(r.gender) IN ('female', 'f') THEN 'female' END"
            ),
            is_lossy=True,
        ),
        "birthdate": day("birthdate"),
        "anniversary": day("anniversary"),
        "membership": taken("membership"),
        "avatar": taken("avatar"),
        # The source also knows `pending`: such a person counts as active, and the word is kept as a custom field.
        "status": Column(
            ("status",),
            sql.SQL("CASE WHEN lower(r.status) IN ('active', 'inactive') THEN lower(r.status) END"),
            fallback=sql.SQL("'active'"),
            is_lossy=True,
        ),
        "inactivatedAt": taken("inactivated_at"),
    },
    enrichments=(FIELD_DATA_OF_PEOPLE,),
)
