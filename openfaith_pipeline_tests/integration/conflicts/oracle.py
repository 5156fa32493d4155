"""The state that a history of two sides must lead to, by the rules of docs/conflicts.md and docs/history.md alone.

Plain Python over events: nothing of the package is imported, neither its policies nor its SQL. Times are the numbers
of events; somebody's edit is half an event later than the number that was current.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from itertools import product, takewhile
from typing import Any, Final, NamedTuple

Row = dict[str, Any]
Key = tuple[Any, ...]

SOURCE, HERE, LINK, EDIT, CONFLICT = "source row", "row", "link", "edit", "conflict"
NOT_FIELDS: Final = frozenset({"changed", "gone"})
"""Of a record of the source."""
CUSTOM: Final = "pco_"
"""Beginning of the names of the source's custom fields; a row has these among its `items`, as `name=value`."""


class Record(NamedTuple):
    """A record of the source, and the row that it became."""

    org: str
    table: str
    id: str


class Change(NamedTuple):
    """One row before and after a sync; of a row that was there before and is afterwards, the columns that differ."""

    before: Row | None
    after: Row | None


Changes = dict[Key, Change]


class Oracle:
    """truth: the source's records, with `changed` and `gone`. rows: everything that a rollback may restore.

    judged: by policy, whether the source won where both had changed a field. judged_items: policies of custom fields.
    without_times: tables of records that have no time of their last change.
    """

    def __init__(self, without_times: Collection[str]) -> None:
        self.without_times = without_times
        self.truth: dict[Record, Row] = {}
        self.rows: dict[Key, Row] = {}
        self.policies: dict[tuple[str, str, str], str] = {}
        self.journal: list[tuple[str, str, Changes]] = []
        self.found = 0
        self.judged: set[tuple[str, bool]] = set()
        self.judged_items: set[str] = set()

    def edit(self, record: Record, values: Mapping[str, Any], now: int, *, is_by_the_app: bool) -> None:
        """Somebody writes these fields of the row; OpenFaith's app says who and when in the row too."""
        row = self.rows[HERE, record]
        for field, value in values.items():
            if value_in(row, field) != value:
                edit = self.rows.setdefault((EDIT, record, field), {"base": value_in(row, field)})
                edit["at"] = now + 0.5
                if edit["base"] == value:
                    del self.rows[EDIT, record, field]
            _put(row, field, value)
        if is_by_the_app:
            row |= {"updatedAt": now, "updatedBy": "the app"}

    def sync(self, org: str, sync_id: str, now: int) -> None:
        """Every record as the source has it now, then the rows."""
        with self._journaled(org, sync_id):
            for record in self._records(org):
                self._read(record, sync_id, now)
            self._transform(org, sync_id)

    def transform(self, org: str, sync_id: str) -> None:
        """The rows alone, as a rebuild makes them."""
        with self._journaled(org, sync_id):
            self._transform(org, sync_id)

    def decide(self, org: str, keys: Collection[Key], sync_id: str, *, takes_source: bool) -> bool:
        """Whether it is decided; nothing is, where a value is no longer the one that the decision is about."""
        if takes_source and any(self._value_of(key) != self.rows[key]["local"] for key in keys):
            return False
        with self._journaled(org, sync_id):
            for key in keys:
                _, record, field, _ = key
                conflict = self.rows[key]
                if takes_source:
                    _put(self.rows[HERE, record], field, conflict["source"])
                    self.rows.pop((EDIT, record, field), None)
                elif edit := self.rows.get((EDIT, record, field)):
                    edit["base"] = conflict["source"]
                decision = "approved" if takes_source else "rejected"
                conflict |= {"decision": decision, "by": "an operator", "decided_in": sync_id}
        return True

    def roll_back(self, org: str, sync_id: str, rollback_id: str, mode: str) -> bool:
        """Whether it is rolled back: `refuse` does nothing if others have changed a row since."""
        changes = self._changes_of(org, sync_id)
        later = self._later_than(org, sync_id)
        disputed = {key for key, change in changes.items() if self._is_disputed(key, change, later)}
        if disputed and mode == "refuse":
            return False
        with self._journaled(org, rollback_id):
            waited = set(self.waiting(org))
            if mode == "keep":
                disputed |= set(self._notes_of(disputed, changes))
            for key, change in changes.items():
                if mode == "overwrite":
                    self._overwrite(key, change, later, changes)
                elif key not in disputed:
                    self._restore(key, change.before, changes)
            self._settle_outdated(org, waited, rollback_id)
        return True

    def waiting(self, org: str) -> list[Key]:
        """Conflicts without a decision."""
        return [
            key
            for key, row in self.rows.items()
            if key[0] == CONFLICT and key[1].org == org and row["decision"] is None
        ]

    def _read(self, record: Record, sync_id: str, now: int) -> None:
        truth, row = self.truth[record], self.rows.get((SOURCE, record))
        gone = truth["gone"] and ((row and row["gone"]) or now)
        fresh = {**truth, "gone": gone, "read": now, "sync": sync_id}
        if row is None or any(row[name] != fresh[name] for name in truth):
            self.rows[SOURCE, record] = fresh

    def _transform(self, org: str, sync_id: str) -> None:
        for record in self._records(org):
            if (SOURCE, record) in self.rows:
                self._transform_row(record, sync_id)
        for key in self.waiting(org):
            _, record, field, _ = key
            row = self.rows.get((HERE, record))
            if (EDIT, record, field) not in self.rows or row is None or row["deleted"]:
                self._settle(key, sync_id)

    def _transform_row(self, record: Record, sync_id: str) -> None:
        source, before = self.rows[SOURCE, record], self.rows.get((HERE, record))
        row = dict(before or {"updatedAt": None, "updatedBy": None})
        kept = {field: self._kept(record, field, sync_id) for field in self.fields(record)}
        row["items"] = [item for item in row.get("items", []) if not item.startswith(CUSTOM)]
        for field, value in kept.items():
            _put(row, field, value)
        if not str(row.get("deleted")).startswith("user_"):
            row["deleted"] = source["gone"]
        if record.table not in self.without_times:
            row["updatedAt"] = source["changed"]
        said = {"changed": source["changed"], "gone": source["gone"]}
        link = self.rows.get((LINK, record))
        if row != before or link is None or said != {name: link[name] for name in said}:
            self.rows[LINK, record] = {**said, "processed": sync_id}
        self.rows[HERE, record] = row

    def _kept(self, record: Record, field: str, sync_id: str) -> Any:
        """The value of the field after a sync, with the conflict and the edit brought up to it."""
        source, row = self.rows[SOURCE, record], self.rows.get((HERE, record))
        edit, value = self.rows.get((EDIT, record, field)), source[field]
        if edit is None:
            return value
        waiting = next((key for key in self.waiting(record.org) if key[1:3] == (record, field)), None)
        policy = self.policy(record.org, record.table, field)
        wins = self._source_wins(record, edit, value, policy)
        if value != edit["base"]:
            self.judged.add((policy, wins))
            self.judged_items |= {policy} if field.startswith(CUSTOM) else set()
        if row is None or value_in(row, field) in (value, edit["base"]) or wins:
            del self.rows[EDIT, record, field]
        elif policy == "ask" and value != edit["base"] and not source["gone"] and not is_deleted_by_person(row):
            self._ask(record, field, waiting)
            return value_in(row, field)
        elif policy == "newest":
            edit["base"] = value
        if waiting:
            self._settle(waiting, sync_id)
        return value_in(row, field) if row and (EDIT, record, field) in self.rows else value

    def _source_wins(self, record: Record, edit: Row, value: Any, policy: str) -> bool:
        source = self.rows[SOURCE, record]
        changed = source["read"] if record.table in self.without_times else source["changed"]
        return policy == "source" or (policy == "newest" and value != edit["base"] and changed > edit["at"])

    def _ask(self, record: Record, field: str, waiting: Key | None) -> None:
        edit = self.rows[EDIT, record, field]
        values = {"local": value_in(self.rows[HERE, record], field), "source": self.rows[SOURCE, record][field]}
        known = {"base": edit["base"], **values, "at": edit["at"]}
        if waiting is None:
            self.found += 1
            new = {**known, "decision": None, "by": None, "decided_in": None}
            self.rows[CONFLICT, record, field, self.found] = new
        elif any(self.rows[waiting][name] != value for name, value in known.items()):
            self.rows[waiting] |= known

    def _settle(self, key: Key, sync_id: str) -> None:
        self.rows[key] |= {"decision": "settled", "by": sync_id, "decided_in": sync_id}

    def _settle_outdated(self, org: str, waited: Collection[Key], sync_id: str) -> None:
        """Of two conflicts of a field that wait, the one that waits again."""
        fields = Counter(key[1:3] for key in self.waiting(org))
        for key in self.waiting(org):
            if key not in waited and fields[key[1:3]] > 1:
                self._settle(key, sync_id)

    def policy(self, org: str, table: str, field: str) -> str:
        """The most specific one."""
        fields = (field, "customFields", "*") if field.startswith(CUSTOM) else (field, "*")
        for place in product((org, "*"), (table, "*"), fields):
            if place in self.policies:
                return self.policies[place]
        return "source"

    def fields(self, record: Record) -> list[str]:
        return [name for name in self.truth[record] if name not in NOT_FIELDS]

    def _records(self, org: str) -> list[Record]:
        return [record for record in self.truth if record.org == org]

    def _value_of(self, key: Key) -> Any:
        _, record, field, _ = key
        return value_in(self.rows.get((HERE, record), {}), field)

    @contextmanager
    def _journaled(self, org: str, sync_id: str) -> Iterator[None]:
        before = deepcopy(self.rows)
        yield
        changed = {key: _change(before.get(key), self.rows.get(key)) for key in before.keys() | self.rows.keys()}
        self.journal.append((sync_id, org, {key: change for key, change in changed.items() if change}))

    def _changes_of(self, org: str, sync_id: str) -> Changes:
        [found] = [changes for name, of_org, changes in self.journal if (name, of_org) == (sync_id, org)]
        return found

    def _later_than(self, org: str, sync_id: str) -> list[Changes]:
        names = [name for name, _, _ in self.journal]
        return [changes for _, of_org, changes in self.journal[names.index(sync_id) + 1 :] if of_org == org]

    def _is_disputed(self, key: Key, change: Change, later: list[Changes]) -> bool:
        """Whether a later sync or a person has changed the row, and nothing has undone that."""
        row = self.rows.get(key)
        theirs = [changes[key] for changes in later if key in changes]
        if theirs:
            was_there = theirs[0].before is not None
            if (row is not None) != was_there or (was_there and not _has(row, _merged(theirs))):
                return True
        return (row is None) != (change.after is None) or not _has(row, change.after)

    def _restore(self, key: Key, image: Row | None, changes: Changes) -> None:
        """The row as it was, without the edits since of the values that this takes back."""
        before = self.rows.get(key)
        for field in self.fields(key[1]) if key[0] == HERE and before else ():
            note, after = (EDIT, key[1], field), {**(before or {}), **(image or {})}
            if note not in changes and (image is None or value_in(before or {}, field) != value_in(after, field)):
                self.rows.pop(note, None)
        if image is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = {**self.rows.get(key, {}), **deepcopy(image)}

    def _overwrite(self, key: Key, change: Change, later: list[Changes], changes: Changes) -> None:
        """Undo the later changes of the row too."""
        image, undone = change.before, [change, *(each[key] for each in later if key in each)]
        if image is not None and key not in self.rows:
            undone = list(takewhile(lambda each: each.before is not None, undone))
            if all(each.after is not None for each in undone):
                return  # somebody removed it, and the syncs knew a part of it
        if image is not None:
            image = {**image, **_merged(undone)}
        self._restore(key, image, changes)

    def _notes_of(self, kept: Collection[Key], changes: Changes) -> Iterator[Key]:
        """The edits of kept rows' fields that the sync wrote: value and edit stay together."""
        for key in kept:
            if key[0] == HERE and (after := changes[key].after):
                before = changes[key].before
                for field in self.fields(key[1]):
                    is_written = ("items" if field.startswith(CUSTOM) else field) in after
                    if is_written and (before is None or value_in(before, field) != value_in(after, field)):
                        yield EDIT, key[1], field


def is_deleted_by_person(row: Row) -> bool:
    return str(row["deleted"]).startswith("user_")


def value_in(row: Row, field: str) -> Any:
    """The value of a column or a custom field of a row."""
    if not field.startswith(CUSTOM):
        return row.get(field)
    named = dict(item.split("=", 1) for item in row.get("items", []))
    return named.get(field)


def _put(row: Row, field: str, value: Any) -> None:
    """Write it; a custom field keeps its place, and a new one is the last."""
    if not field.startswith(CUSTOM):
        row[field] = value
        return
    items, new = row["items"], [] if value is None else [f"{field}={value}"]
    place = next((place for place, item in enumerate(items) if item.startswith(f"{field}=")), len(items))
    row["items"] = [*items[:place], *new, *items[place + 1 :]]


def _change(before: Row | None, after: Row | None) -> Change | None:
    if before is None or after is None:
        return Change(deepcopy(before), deepcopy(after)) if before != after else None
    names = [name for name in after if before.get(name) != after[name]]
    return Change({name: before.get(name) for name in names}, {name: after[name] for name in names}) if names else None


def _merged(changes: list[Change]) -> Row:
    """The columns as they were before the first of these changes."""
    merged: Row = {}
    for change in reversed(changes):
        merged |= change.before or {}
    return merged


def _has(row: Row | None, values: Row | None) -> bool:
    return row is None or all(row.get(name) == value for name, value in (values or {}).items())
