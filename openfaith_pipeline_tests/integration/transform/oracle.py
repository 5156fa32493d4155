"""The expected OpenFaith rows for given raw rows: the rules implemented again, row by row and without SQL."""

import json
from datetime import date
from typing import Any

import phonenumbers

from openfaith_pipeline.catalog.stream import ColumnType
from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.integration.transform.church import Church

TAGS = {
    "campuses": "campus",
    "people": "person",
    "emails": "email",
    "phoneNumbers": "phoneNumber",
    "addresses": "address",
    "fields": "field",
}
STREAM_OF = {
    "campuses": "people.campuses",
    "people": "people.people",
    "emails": "people.emails",
    "phoneNumbers": "people.phone_numbers",
    "addresses": "people.addresses",
    "fields": "people.field_definitions",
}
RELATIONSHIPS = (
    ("people", "primary_campus", "campuses"),
    ("emails", "person", "people"),
    ("phoneNumbers", "person", "people"),
    ("addresses", "person", "people"),
)
NEVER_CUSTOM = {
    "campuses": {"name", "description", "street", "city", "state", "zip", "latitude", "longitude", "website"}
    | {"avatar_url", "country"},
    "people": {"first_name", "middle_name", "last_name", "name", "birthdate", "anniversary", "membership", "avatar"}
    | {"inactivated_at", "gender", "status"},
    "emails": {"address", "location", "primary", "blocked"},
    "phoneNumbers": {"country_code", "location", "primary", "e164", "number"},
    "addresses": {"street_line_1", "street_line_2", "city", "state", "zip", "country_code", "location", "primary"},
    "fields": {"slug", "name", "data_type", "deleted_at", "tab_id"},
}
KINDS = {ColumnType.TEXT: "string", ColumnType.INTEGER: "number", ColumnType.FLOAT: "number"}
KINDS |= {ColumnType.BOOLEAN: "boolean", ColumnType.DATE: "date", ColumnType.TIMESTAMP: "date"}


def expected_row(church: Church, table: str, raw: dict[str, Any]) -> dict[str, Any]:
    """The whole row of an entity nobody touched but the transform; without its id."""
    columns, unheld = COLUMNS[table](raw)
    row = {
        "_tag": TAGS[table],
        "orgId": church.org_id,
        "externalIds": [{"id": raw["id"], "type": "pco"}],
        "tags": [],
        "type": "default",
        "status": "active",
        "inactivatedAt": None,
        "inactivatedBy": None,
        "createdAt": created_at(raw),
        "createdBy": None,
        "updatedAt": raw.get("updated_at"),
        "updatedBy": None,
        "deletedAt": raw["_deleted_at"],
        "deletedBy": "pco" if raw["_deleted_at"] else None,
    }
    items = _attribute_items(table, raw) + unheld + _extra_items(raw)
    if table == "people":
        items += _field_items(church, raw["id"])
    return row | columns | {"customFields": items}


def created_at(raw: dict[str, Any]) -> Any:
    return raw.get("created_at") or raw.get("updated_at") or raw["_first_seen_at"]


def survivors(church: Church) -> dict[str, str]:
    """Merged person -> who stands for them: mergers in order, but for those that close a circle or come too late."""
    standing: dict[str, str] = {}
    for merger in _mergers(church):
        kept, removed = merger["person_to_keep_id"], merger["person_to_remove_id"]
        tried = standing | {removed: kept}
        walked = [removed]
        while walked[-1] in tried and len(walked) <= len(tried):
            walked.append(tried[walked[-1]])
        if walked[-1] not in tried and removed not in standing:
            standing = tried
    return {removed: _last(standing, removed) for removed in standing}


def merged_at(church: Church, person_id: str) -> Any:
    """When the first merger that removes the person says it happened."""
    first = next(merger for merger in _mergers(church) if merger["person_to_remove_id"] == person_id)
    return first["created_at"] or first["_first_seen_at"]


def _mergers(church: Church) -> list[dict[str, Any]]:
    every = church.rows["people.person_mergers"].values()
    told = [row for row in every if row["person_to_keep_id"] and row["person_to_remove_id"]]
    return sorted(told, key=lambda row: (row["created_at"] is not None, row["created_at"], int(row["id"])))


def _last(standing: dict[str, str], person_id: str) -> str:
    return _last(standing, standing[person_id]) if person_id in standing else person_id


def named_records(church: Church) -> set[tuple[str, str]]:
    """(table, id) of every record that must have a link: those loaded and those named by a live one or a merger."""
    loaded = {(table, record_id) for table, stream in STREAM_OF.items() for record_id in church.rows[stream]}
    standing = survivors(church)
    merging = {("people", person_id) for person_id in {*standing, *standing.values()}}
    return loaded | merging | {(target, target_id) for _, _, _, target, target_id in _relations(church)}


def expected_edges(church: Church, ids: dict[tuple[str, str], str]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Live edges by (source id, target id, type)."""
    edges = {}
    for table, raw, key, target, target_id in _relations(church):
        target_raw = church.rows[STREAM_OF[target]].get(target_id)
        if target_raw and target_raw["_deleted_at"]:
            continue
        ends = [(ids[table, raw["id"]], TAGS[table]), (ids[target, target_id], TAGS[target])]
        ends.sort(key=lambda end: (not "a" <= end[0][0] <= "m", end[0]))
        (source_id, source_tag), (other_id, other_tag) = ends
        middle = key if "_" in key else "has"
        edges[source_id, other_id, f"{source_tag}_{middle}_{other_tag}"] = {
            "sourceEntityTypeTag": source_tag,
            "targetEntityTypeTag": other_tag,
            "metadata": {"relationshipKey": key, "source": "pco_direct"},
            "createdAt": created_at(raw),
            "updatedAt": raw["updated_at"],
        }
    return edges


def _relations(church: Church) -> list[tuple[str, dict[str, Any], str, str, str]]:
    """(table, row, relationship, its target's table, the id of the record that stands for the one it names)."""
    standing = {("people", person_id): survivor for person_id, survivor in survivors(church).items()}
    return [
        (table, raw, key, target, standing.get((target, raw[f"{key}_id"]), raw[f"{key}_id"]))
        for table, key, target in RELATIONSHIPS
        for raw in church.live(STREAM_OF[table])
        if raw[f"{key}_id"] is not None and (table, raw["id"]) not in standing
    ]


Columns = tuple[dict[str, Any], list[dict[str, Any]]]


def _campus(raw: dict[str, Any]) -> Columns:
    country = raw["country"]
    is_code = country is not None and len(country) == 2 and country.isalpha()
    columns = {name: raw[name] or "" for name in ("name", "street", "city", "state", "zip")}
    columns |= {"description": raw["description"]}
    columns |= {name: None if raw[name] is None else float(raw[name]) for name in ("latitude", "longitude")}
    columns |= {"url": raw["website"], "avatar": raw["avatar_url"]}
    columns["countryCode"] = country.upper() if is_code else None
    return columns, [] if is_code else _items(country=country)


def _person(raw: dict[str, Any]) -> Columns:
    gender = {"male": "male", "m": "male", "female": "female", "f": "female"}.get((raw["gender"] or "").lower())
    status = raw["status"].lower() if raw["status"] else None
    known = status in {"active", "inactive"}
    columns = {
        "firstName": raw["first_name"],
        "middleName": raw["middle_name"],
        "lastName": raw["last_name"],
        "name": raw["name"],
        "gender": gender,
        "birthdate": raw["birthdate"].isoformat() if raw["birthdate"] else None,
        "anniversary": raw["anniversary"].isoformat() if raw["anniversary"] else None,
        "membership": raw["membership"],
        "avatar": raw["avatar"],
        "status": status if known else "active",
        "inactivatedAt": raw["inactivated_at"],
    }
    unheld = ([] if gender else _items(gender=raw["gender"])) + ([] if known else _items(status=raw["status"]))
    return columns, unheld


def _email(raw: dict[str, Any]) -> Columns:
    columns = {"address": raw["address"] or "", "location": raw["location"]}
    return columns | {"primary": raw["primary"] or False, "blocked": raw["blocked"] or False}, []


def _phone_number(raw: dict[str, Any]) -> Columns:
    e164 = raw["e164"]
    if not (e164 and e164.startswith("+") and e164[1:].isdigit()):
        e164 = _e164(raw["number"], raw["country_code"])
    columns = {"number": e164, "countryCode": raw["country_code"], "location": raw["location"]}
    columns["primary"] = raw["primary"] or False
    return columns, [] if e164 else _items(e164=raw["e164"], number=raw["number"])


def _e164(number: str | None, country: str | None) -> str | None:
    try:
        parsed = phonenumbers.parse(number or "", (country or "").upper() or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return f"+{parsed.country_code}{phonenumbers.national_significant_number(parsed)}"


def _address(raw: dict[str, Any]) -> Columns:
    columns = {name: raw[name] for name in ("city", "state", "zip", "location")}
    columns |= {"streetLine1": raw["street_line_1"], "streetLine2": raw["street_line_2"]}
    return columns | {"countryCode": raw["country_code"], "primary": raw["primary"] or False}, []


FIELD_TYPES = {"string": "text", "text": "text", "number": "number", "boolean": "boolean", "date": "date"}
FIELD_TYPES |= {"select": "singleSelect", "checkboxes": "multiSelect"}


def _field(raw: dict[str, Any]) -> Columns:
    known = FIELD_TYPES.get((raw["data_type"] or "").lower())
    columns = {"key": raw["slug"] or "", "label": raw["name"] or "", "type": known or "text", "description": None}
    columns |= {"entityTag": "person", "source": "pco", "inactivatedAt": raw["deleted_at"]}
    columns["status"] = "inactive" if raw["deleted_at"] else "active"
    return columns, [] if known else _items(data_type=raw["data_type"])


COLUMNS = {
    "campuses": _campus,
    "people": _person,
    "emails": _email,
    "phoneNumbers": _phone_number,
    "addresses": _address,
    "fields": _field,
}


def _items(**values: str | None) -> list[dict[str, Any]]:
    return [_item("string", name, value) for name, value in values.items() if value is not None]


def _item(tag: str, name: str, value: Any) -> dict[str, Any]:
    return {"_tag": tag, "name": f"pco_{name}", "source": "pco", "value": value}


def _attribute_items(table: str, raw: dict[str, Any]) -> list[dict[str, Any]]:
    items = []
    for name, kind in STREAMS[STREAM_OF[table]].attributes.items():
        if name in NEVER_CUSTOM[table] | {"created_at", "updated_at"} or raw[name] is None:
            continue
        items.append(_json_item(name, raw[name]) if kind is ColumnType.JSON else _item(KINDS[kind], name, raw[name]))
    return items


def _extra_items(raw: dict[str, Any]) -> list[dict[str, Any]]:
    extra = raw["_extra"] or {}
    return [_json_item(name, extra[name]) for name in sorted(extra) if extra[name] is not None]


def _json_item(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return _item("boolean", name, value)
    if isinstance(value, int | float):
        return _item("number", name, value)
    return _item("string", name, value if isinstance(value, str) else json.dumps(value))


def _field_items(church: Church, person_id: str) -> list[dict[str, Any]]:
    names = _field_names(church)
    standing = survivors(church)
    own: dict[str, list[str]] = {}
    inherited: dict[str, list[str]] = {}
    for datum in church.live("people.field_data"):
        value = datum["value"] if datum["value"] is not None else datum["file_name"]
        named = datum["customizable_id"]
        is_theirs = datum["customizable_type"] == "Person" and standing.get(named, named) == person_id
        if is_theirs and value is not None and datum["field_definition_id"] in names:
            answers = own if named == person_id else inherited
            answers.setdefault(datum["field_definition_id"], []).append(value)
    answers = inherited | own
    items = []
    for definition_id, values in answers.items():
        data_type = (church.rows["people.field_definitions"][definition_id]["data_type"] or "").lower()
        tag, value = _typed(data_type, values)
        items.append(_item(tag, names[definition_id], value))
    return sorted(items, key=lambda item: item["name"])


def _field_names(church: Church) -> dict[str, str]:
    taken = {*STREAMS["people.people"].attributes, "school"}
    for person in church.rows["people.people"].values():
        taken |= set(person["_extra"] or {})
    names: dict[str, str] = {}
    definitions = [d for d in church.live("people.field_definitions") if d["deleted_at"] is None]
    for definition in sorted(definitions, key=lambda d: int(d["id"])):
        slug = (definition["slug"] or "").strip() or f"field_{definition['id']}"
        is_taken = slug in taken or slug in names.values()
        names[definition["id"]] = f"{slug}_{definition['id']}" if is_taken else slug
    return names


def _typed(data_type: str, values: list[str]) -> tuple[str, Any]:
    if len(values) > 1:
        return "string", ", ".join(sorted(values))
    (value,) = values
    if data_type == "number" and (value in {"-3.50"} or (value.isascii() and value.isdigit())):
        return "number", float(value)
    if data_type == "boolean" and value.lower() in {"yes", "true", "0"}:
        return "boolean", value != "0"
    if data_type == "date" and _is_day(value):
        return "date", value
    return "string", value


def _is_day(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
