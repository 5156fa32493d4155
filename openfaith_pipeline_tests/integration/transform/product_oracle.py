"""Made-up churches with records of several products, and the expected rows by `product_rules`."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection, sql

from openfaith_pipeline.sources import STREAMS
from openfaith_pipeline_tests.integration.transform.church import Church, put_rows
from openfaith_pipeline_tests.integration.transform.product_rules import (
    EDGES,
    FIELDS,
    NAMES,
    ROWS,
    SAME_RECORDS,
    Joined,
    Values,
)

Ids = dict[tuple[str, str], str]
"""(stream, record id) -> entity id."""

LISTED = {"groups.resources": "groups", "check_ins.check_in_groups": "check_ins", "check_ins.check_ins": "options"}


@dataclass
class Products(Church):
    """A church of all streams that the rules name; listed: (stream, record id) -> the records its list has."""

    listed: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def fill(self, people: int) -> None:
        for name in self._streams():
            self.rows[name] = {str(number): self.made_up(name, str(number)) for number in range(1, people + 1)}
        self._list(people)

    def change(self) -> None:
        """A few records of each stream: rewritten, deleted or back."""
        for rows in self.rows.values():
            for record_id, row in self.random.sample(sorted(rows.items()), 2):
                is_gone = row["_deleted_at"] is not None
                name = next(name for name, found in self.rows.items() if found is rows)
                rows[record_id] = self.made_up(name, record_id) | {
                    "_deleted_at": None if is_gone else row["_synced_at"]
                }

    def store(self, connection: Connection[Any]) -> None:
        super().store(connection)
        for (name, record_id), related in self.listed.items():
            stream = STREAMS[name]
            statement = sql.SQL("INSERT INTO {} VALUES (%s, %s, %s, 1) ON CONFLICT DO NOTHING").format(
                sql.Identifier(stream.schema, stream.links[LISTED[name]])
            )
            for related_id in related:
                connection.execute(statement, [self.org_id, record_id, related_id])

    def rewrite(self, connection: Connection[Any], name: str) -> None:
        put_rows(connection, STREAMS[name], list(self.rows[name].values()))

    def _streams(self) -> list[str]:
        every = {*ROWS, *EDGES, *(each.of for each in FIELDS)}
        return sorted(every)

    def _list(self, people: int) -> None:
        for name in LISTED:
            for record_id in self.rows[name]:
                self.listed[name, record_id] = [
                    str(self.random.randint(1, people + 2)) for _ in range(self.random.randint(0, 3))
                ]


def external_id(stream: str, record_id: str) -> str:
    return record_id if ROWS[stream].is_plain else f"{stream}:{record_id}"


def created(raw: dict[str, Any]) -> Any:
    return raw.get("created_at") or raw.get("updated_at") or raw["_first_seen_at"]


def expected_columns(stream: str, raw: dict[str, Any], ids: Ids) -> dict[str, Any]:
    """The columns of the record's row that the rules give."""
    rule = ROWS[stream]
    found: dict[str, Any] = {column: raw[attribute] for column, attribute in rule.columns.items()}
    if rule.filled:
        found[rule.filled] = found[rule.filled] or ""
    for column, relationship in rule.named.items():
        target = STREAMS[stream].belongs_to[relationship] or ""
        # A record that only deleted records have named has no link.
        found[column] = ids.get((SAME_RECORDS.get(target, target), raw[f"{relationship}_id"] or ""))
    found |= dict.fromkeys(_too_large(stream, raw))
    found |= {column: value for column, value in rule.nothing.items() if found[column] is None}
    times = [raw[name] for name in rule.gone if raw[name] is not None]
    if rule.gone:
        is_gone = raw[rule.flag] is True if rule.flag else bool(times)
        found |= {"status": "inactive" if is_gone else "active", "inactivatedAt": times[0] if times else None}
    found |= rule.constant
    deleted = {"deletedAt": raw["_deleted_at"], "deletedBy": "pco" if raw["_deleted_at"] else None}
    return found | deleted | {"_tag": rule.tag, "createdAt": created(raw), "updatedAt": raw.get("updated_at")}


def expected_fields(church: Products, stream: str, record_id: str) -> dict[str, Any]:
    """Name -> value of the custom fields that other records give."""
    found: dict[str, Any] = {}
    for each in FIELDS:
        if each.on == stream:
            records = [record for record in _records_of(church, each, record_id) if record["_deleted_at"] is None]
            for name, attribute in each.items.items():
                values = [record[attribute] for record in records if record[attribute] is not None]
                found[f"pco_{name}"] = _one(values)
    return {name: value for name, value in found.items() if value is not None}


def attribute_fields(stream: str, raw: dict[str, Any]) -> set[str]:
    """Names of the custom fields that the record's own attributes are."""
    rule, declared = ROWS[stream], STREAMS[stream]
    taken_up = {*rule.columns.values(), *rule.gone, "created_at", "updated_at"}
    taken_up |= {f"{name}_id" for name in declared.belongs_to}
    taken_up -= {rule.columns[column] for column in _too_large(stream, raw)}
    return {f"pco_{name}" for name in declared.attributes if name not in taken_up and raw[name] is not None}


def _too_large(stream: str, raw: dict[str, Any]) -> list[str]:
    """The columns that cannot hold their number."""
    rule = ROWS[stream]
    return [column for column in rule.narrow if abs(raw[rule.columns[column]] or 0) >= 2**31]


def _one(values: list[Any]) -> Any:
    if len(values) > 1:
        return ", ".join(sorted(map(str, values)))
    return values[0] if values else None


def _records_of(church: Products, each: Values, record_id: str) -> list[dict[str, Any]]:
    rows, owner = church.rows[each.of], church.rows[each.on][record_id]
    if each.way.startswith("."):
        return [row for row in rows.values() if row[f"{each.way[1:]}_id"] == record_id]
    if each.way.endswith("*"):
        return [rows[one] for one in {*church.listed[each.on, record_id]} if one in rows]
    named = owner[f"{each.way}_id"]
    return [rows[named]] if named in rows else []


def expected_edges(church: Products, ids: Ids) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Live edges by (source id, target id, type): metadata and times."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for stream, raw, key, target, target_id in _named(church):
        edge_key = _edge_key(ids, key, (stream, raw["id"]), (target, target_id))
        metadata = {"relationshipKey": key, "source": "pco_direct"}
        found[edge_key].append({"metadata": metadata, "createdAt": created(raw), "updatedAt": raw.get("updated_at")})
    plain = {
        key: {
            "metadata": min((each["metadata"] for each in every), key=lambda metadata: metadata["relationshipKey"]),
            "createdAt": min(each["createdAt"] for each in every),
            "updatedAt": max((each["updatedAt"] for each in every if each["updatedAt"]), default=None),
        }
        for key, every in found.items()
    }
    return plain | _record_edges(church, ids)


def _named(church: Products) -> Iterator[tuple[str, dict[str, Any], str, str, str]]:
    for stream, relationships in NAMES.items():
        for raw in church.live(stream):
            for way, target in relationships.items():
                key = way.removesuffix("*")
                every = church.listed[stream, raw["id"]] if way.endswith("*") else [raw[f"{key}_id"]]
                for target_id in filter(None, every):
                    if not _is_gone(church, target, target_id):
                        yield stream, raw, key, target, target_id


def named_records(church: Products) -> set[tuple[str, str]]:
    """Every record with a link: loaded, or named by a live one."""
    found = {(stream, record_id) for stream in ROWS for record_id in church.rows[stream]}
    found |= {(target, target_id) for _, _, _, target, target_id in _named(church)}
    for stream, rule in ROWS.items():
        for raw in church.live(stream):
            for relationship in rule.named.values():
                target = STREAMS[stream].belongs_to[relationship] or ""
                found |= {(SAME_RECORDS.get(target, target), raw[f"{relationship}_id"])}
    for stream, joined in EDGES.items():
        near = next(iter(joined.ends))
        for raw in church.live(stream):
            ways = dict(joined.named.values()) if raw[f"{near}_id"] else {}
            if all(raw[f"{way}_id"] for way in joined.ends):  # an edge that lacks an end names neither
                ways |= joined.ends
            found |= {(target, raw[f"{way}_id"]) for way, target in ways.items()}
    return {(stream, record_id) for stream, record_id in found if record_id}


def _record_edges(church: Products, ids: Ids) -> dict[tuple[str, str, str], dict[str, Any]]:
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for stream, joined in EDGES.items():
        for raw in church.live(stream):
            ends = [(target, raw[f"{way}_id"]) for way, target in joined.ends.items()]
            if all(record_id and not _is_gone(church, target, record_id) for target, record_id in ends):
                found[_edge_key(ids, joined.key, *ends)].append({"raw": raw, "joined": joined})
    return {key: _edge(records, ids) for key, records in found.items()}


def _edge(records: list[dict[str, Any]], ids: Ids) -> dict[str, Any]:
    ordered = sorted(records, key=lambda each: int(each["raw"]["id"]))
    said = [_metadata(each["joined"], each["raw"], ids) for each in ordered]
    metadata = said[-1] | ({"records": said} if len(said) > 1 else {})
    raws = [each["raw"] for each in ordered]
    return {
        "metadata": metadata | {"relationshipKey": records[0]["joined"].key, "source": "pco_direct"},
        "createdAt": min(map(created, raws)),
        "updatedAt": max((raw["updated_at"] for raw in raws if raw.get("updated_at")), default=None),
    }


def _metadata(joined: Joined, raw: dict[str, Any], ids: Ids) -> dict[str, Any]:
    said = {name: _json(raw[attribute]) for name, attribute in joined.metadata.items()}
    for name, (way, target) in joined.named.items():
        said[name] = ids[target, raw[f"{way}_id"]] if raw[f"{way}_id"] else None
    return {"recordId": raw["id"]} | {name: value for name, value in said.items() if value is not None}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    return value


def _edge_key(ids: Ids, key: str, *ends: tuple[str, str]) -> tuple[str, str, str]:
    ordered = sorted(ends, key=lambda end: (not "a" <= ids[end][0] <= "m", ids[end]))
    (source, target) = ordered
    middle = key if "_" in key else "has"
    return ids[source], ids[target], f"{ROWS[source[0]].tag}_{middle}_{ROWS[target[0]].tag}"


def _is_gone(church: Products, stream: str, record_id: str) -> bool:
    raw = church.rows[stream].get(record_id)
    return bool(raw and raw["_deleted_at"])
