"""Campus: a church's sites."""

from psycopg import sql

from openfaith_pipeline.planning_center.streams import people
from openfaith_pipeline.transform.entity import Column, Entity, or_empty, taken

CAMPUSES = Entity(
    table="campuses",
    tag="campus",
    stream=people.CAMPUSES,
    columns={
        "name": or_empty("name"),
        "description": taken("description"),
        "street": or_empty("street"),
        "city": or_empty("city"),
        "state": or_empty("state"),
        "zip": or_empty("zip"),
        # Planning Center has one free field for a campus's country; only a two-letter code is a country code.
        "countryCode": Column(
            ("country",), sql.SQL("CASE WHEN r.country ~ '^[A-Za-z]{2}$' THEN upper(r.country) END"), is_lossy=True
        ),
        "latitude": taken("latitude"),
        "longitude": taken("longitude"),
        "url": taken("website"),
        "avatar": taken("avatar_url"),
    },
)
