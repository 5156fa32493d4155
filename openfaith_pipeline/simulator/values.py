"""Plausible values for attributes, derived only from the names of attribute and type, and the column type."""

import hashlib
import math
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any

from openfaith_pipeline.catalog.stream import ColumnType
from openfaith_pipeline.simulator import rhythm
from openfaith_pipeline.simulator.events import EVENT_NAMES, described
from openfaith_pipeline.simulator.personas import Address, Persona, Phone, address_of, dial, email_of, persona, scatter
from openfaith_pipeline.simulator.relations import Target
from openfaith_pipeline.simulator.shapes import Shape

EPOCH = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
"""End of generated data, independent of the current day, so that one seed always gives the same bytes."""
FIRST_ID = 985
"""First id of every stream: ids repeat across types and churches, and soon sort differently as text."""
DAY = 86_400
Value = Callable[["Sketch"], Any]

_WORDS = ("cedar", "harbor", "morning", "river", "welcome", "lantern", "bread", "garden", "anchor", "kindness", "north")
_KINDS = ("string", "text", "boolean", "date", "select", "number")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "prefix": ("Mr.", "Mrs.", "Ms.", "Dr.", "Rev.", "Pastor"),
    "suffix": ("Jr.", "Sr.", "II", "III", "Ph.D."),
    "marital": ("Single", "Married", "Widowed", "Engaged"),
    "inactive": ("Moved", "Deceased", "No contact", "Other church"),
    "school": ("Juniper Elementary", "Millpond Middle", "Lantern High", "Home school", "Foxglove Prep", "Harbour K-8"),
}


@lru_cache(maxsize=16_384)
def _day_of(number: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()


def stamp(seconds: int) -> str:
    """Seconds since 1970 in the API's time format: `2026-01-01T00:00:00Z`."""
    days, rest = divmod(seconds, DAY)
    minutes, second = divmod(rest, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_day_of(days)}T{hour:02d}:{minute:02d}:{second:02d}Z"


def made_up_secret(*parts: object) -> str:
    """The value of an attribute that the catalog says must never be stored, unlike any other value."""
    return f"made-up-secret-{hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()}"


@dataclass
class Sketch:
    """The facts about a record that are known before its attributes are made.

    index: within the stream; rank: among its owner's records; who: the person it is about.
    humans: streams of people, with their types. until: as in ChurchSpec. owned_since: when its owner was made.
    church: the church's name.
    """

    dice: random.Random
    shape: Shape
    index: int
    rank: int
    relations: Mapping[str, Target | None]
    created_at: int
    updated_at: int
    seed: int
    humans: Mapping[str, str] = field(default_factory=dict)
    until: int | None = None
    owned_since: Callable[[], int] = lambda: 0
    church: str = ""

    @cached_property
    def who(self) -> Persona:
        return persona(self.seed, *self._person)

    @cached_property
    def address(self) -> Address:
        return address_of(self.seed, *self._person)

    @cached_property
    def _person(self) -> tuple[str, int]:
        """Type and index: people with the same index are the same human in every product, as their ids show."""
        for name, target in self.relations.items():
            is_about = not self.shape.is_human or self.shape.relation[name].is_natural
            if target and target[0] in self.humans and is_about:
                return self.humans[target[0]], target[1] - FIRST_ID
        return self.shape.stream.type, self.index

    @cached_property
    def phone(self) -> Phone:
        return dial(self.dice)

    @cached_property
    def is_inactive(self) -> bool:
        return self.dice.random() < 0.08

    def chance(self, share: float) -> bool:
        return self.dice.random() < share


def value_of(shape: Shape, attribute: str) -> Value:
    """The generator of an attribute's values."""
    kind = shape.stream.attributes[attribute]
    relation = shape.relation.get(attribute.removesuffix("_id")) if attribute.endswith("_id") else None
    if relation:
        return _relation_id(relation.name, kind)
    typed = shape.relation.get(attribute.removesuffix("_type")) if attribute.endswith("_type") else None
    if typed and typed.is_polymorphic:
        return lambda _: None  # the relationship has it
    named = re.fullmatch(r"(\w+)_name", attribute)
    if named and named.group(1) in shape.relation:
        return lambda sketch: sketch.who.full_name
    wanted = f"{shape.type_words}.{attribute}"
    for pattern, value_kind, value in _RULES:
        if kind is value_kind and pattern.fullmatch(wanted):
            return value
    return _BY_KIND[kind]


def _relation_id(name: str, kind: ColumnType) -> Value:
    def read(sketch: Sketch) -> int | str | None:
        target = sketch.relations[name]
        if target is None:
            return None
        return target[1] if kind is ColumnType.INTEGER else str(target[1])

    return read


def _maybe(share: float, value: Value) -> Value:
    return lambda sketch: value(sketch) if sketch.dice.random() < share else None


def _pick(*choices: Any) -> Value:
    return lambda sketch: choices[int(sketch.dice.random() * len(choices))]


def _of_event(attribute: str) -> Value:
    return lambda sketch: described(EVENT_NAMES[sketch.index % len(EVENT_NAMES)])[attribute]


def _title(sketch: Sketch) -> str:
    noun = sketch.shape.type_words.replace("_", " ").title()
    if any(target and target[0] in sketch.humans for target in sketch.relations.values()):
        return f"{sketch.who.last_name} {noun}"
    return f"{_WORDS[sketch.index % len(_WORDS)].title()} {noun} {sketch.index + 1}"


def _prose(sketch: Sketch) -> str:
    """A few words; one in fifty is several kilobytes long, with line breaks, quotes and an emoji."""
    size = 400 if sketch.chance(0.02) else 3 + int(sketch.dice.random() * 12)
    text = " ".join(sketch.dice.choices(_WORDS, k=size)).capitalize() + "."
    return f'{text}\n"Été, naïve, 日本語, 🕊️" \\ <b>&amp;</b>' if size > 100 else text


def _answer(sketch: Sketch) -> str:
    """The value of a custom field: free text, a number, a date or a yes."""
    make: Value = sketch.dice.choice((_prose, _day, _count_as_text, _yes, _team))
    return str(make(sketch))


def _count_as_text(sketch: Sketch) -> str:
    return str(int(sketch.dice.random() * 500))


def _yes(_: Sketch) -> str:
    return "true"


def _team(_: Sketch) -> str:
    return "Café team"


def _value_text(sketch: Sketch) -> str:
    for word, choices in _CHOICES.items():
        if word in sketch.shape.type_words:
            return choices[sketch.index % len(choices)]
    return _answer(sketch) if sketch.shape.owners and len(sketch.relations) > 1 else f"Option {sketch.rank + 1}"


def _slug(sketch: Sketch) -> str:
    return f"{_WORDS[sketch.index % len(_WORDS)]}_{sketch.index + 1}"


def _birthdate(sketch: Sketch) -> str:
    born = date(2026 - sketch.who.age - 1, 1 + int(sketch.dice.random() * 12), 1 + int(sketch.dice.random() * 28))
    return born.isoformat()


def _day(sketch: Sketch) -> str:
    return stamp(EPOCH - int(sketch.dice.random() * 20 * 365) * DAY)[:10]


def _time(sketch: Sketch) -> str:
    return stamp(sketch.created_at + int(sketch.dice.random() * max(sketch.updated_at - sketch.created_at, 1)))


def _in_rhythm(living: Value, otherwise: Value) -> Value:
    """living: the value in a church whose times have a rhythm."""
    return lambda sketch: otherwise(sketch) if sketch.until is None else living(sketch)


def _service(sketch: Sketch) -> int:
    return rhythm.service_of(sketch.created_at)


def _evening(sketch: Sketch) -> int:
    owner = next((target[1] for target in sketch.relations.values() if target), 0)
    return rhythm.evening_of(sketch.created_at, owner)


def _came(sketch: Sketch) -> bool:
    """Whether the person came: most people come most times, until they stop coming."""
    person = sketch.relations.get("person")
    number = scatter(sketch.seed, "stays", person[1] if person else 0)
    is_there = sketch.owned_since() < rhythm.stayed_until(number, sketch.until or 0)
    return is_there and sketch.chance(0.8)


def _crowd(sketch: Sketch) -> int:
    """Number of people: more as the church grows, and in winter."""
    years = max((sketch.until or 0) - sketch.created_at, 0) / rhythm.YEAR
    return round((30 + 15 * sketch.dice.random()) * rhythm.season(sketch.created_at) * math.pow(0.9, years))


def _whole(top: int) -> Value:
    return lambda sketch: int(sketch.dice.random() * top)


def _when_child(value: Value) -> Value:
    return lambda sketch: value(sketch) if sketch.who.is_child else None


def _large_number(sketch: Sketch) -> int:
    return 3_000_000_000 + sketch.index


_LASTS = 75 * 60
_SOMETIME = _maybe(0.9, _time)

_TEXT, _INTEGER, _FLOAT = ColumnType.TEXT, ColumnType.INTEGER, ColumnType.FLOAT
_BOOLEAN, _TIMESTAMP, _JSON = ColumnType.BOOLEAN, ColumnType.TIMESTAMP, ColumnType.JSON
# The first match wins; patterns match `<type_in_words>.<attribute>`.
_RULES: tuple[tuple[re.Pattern[str], ColumnType, Value], ...] = tuple(
    (re.compile(pattern), kind, value)
    for pattern, kind, value in (
        *((rf"available_event\.{name}", _TEXT, _of_event(name)) for name in described(EVENT_NAMES[0])),
        (r".*\.file_\w+", _TEXT, lambda _: None),
        (r".*\.file_size", _INTEGER, lambda _: None),
        (r"list\.name", _TEXT, lambda sketch: "Members" if sketch.index == 0 else _title(sketch)),
        (r"organization\.name", _TEXT, lambda sketch: sketch.church),
        (r".*\.first_name", _TEXT, lambda sketch: sketch.who.first_name),
        (r".*\.last_name", _TEXT, lambda sketch: sketch.who.last_name),
        (r".*\.(given|middle|nick)_?name", _TEXT, _maybe(0.15, lambda sketch: sketch.who.first_name[:4])),
        (r".*(person|profile|attendee|contact)\.(full_|legal_)?name", _TEXT, lambda sketch: sketch.who.full_name),
        (r".*\.gender", _TEXT, _maybe(0.9, lambda sketch: sketch.who.gender)),
        (r".*\.(email\w*|contact_email_address)|.*email\w*\.address", _TEXT, lambda s: email_of(s.who, s.index)),
        (r".*\.login_identifier", _TEXT, _maybe(0.05, lambda sketch: email_of(sketch.who, sketch.index))),
        (r".*\.(number|phone\w*|national)", _TEXT, lambda sketch: sketch.phone.national),
        (r".*\.international", _TEXT, lambda sketch: sketch.phone.international),
        (r".*\.e164", _TEXT, lambda sketch: sketch.phone.e164),
        (r".*phone.*\.country_code", _TEXT, lambda sketch: sketch.phone.country_code),
        (r".*\.country(_code)?", _TEXT, _pick("US")),
        (r".*\.country_name", _TEXT, _pick("United States")),
        (r".*\.(street\w*2|carrier|avatar\w*|\w*_avatar\w*)", _TEXT, _maybe(0.1, _slug)),
        (r".*\.street\w*", _TEXT, _maybe(0.95, lambda sketch: sketch.address.street)),
        (r".*\.city", _TEXT, lambda sketch: sketch.address.city),
        (r".*\.state", _TEXT, lambda sketch: sketch.address.state),
        (r".*\.(zip|postal_code)", _TEXT, lambda sketch: sketch.address.zip),
        (r".*phone.*\.location", _TEXT, _pick("Mobile", "Mobile", "Home", "Work")),
        (r".*\.location", _TEXT, _pick("Home", "Home", "Work", "Other")),
        (r".*\.payment_status", _TEXT, _pick("succeeded", "succeeded", "succeeded", "pending", "failed")),
        (r"payment_method\.method_type|.*\.payment_method", _TEXT, _pick("card", "ach", "cash", "check")),
        (r"plan_person(_time)?\.status", _TEXT, _pick("C", "C", "U", "D")),
        (r"batch(_group)?\.status", _TEXT, _pick("done", "done", "in_progress")),
        (r".*registration.*\.status|group_application\.status", _TEXT, _pick("approved", "pending", "rejected")),
        (r".*approval_status", _TEXT, _pick("A", "A", "P", "R")),
        (r"(membership|attendance)\.role", _TEXT, _pick("member", "member", "member", "leader")),
        (r"check_in(_time)?\.kind", _TEXT, _pick("Regular", "Regular", "Guest", "Volunteer")),
        (r"item\.item_type", _TEXT, _pick("song", "header", "item", "media")),
        (r".*\.frequency", _TEXT, _pick("Weekly", "Daily", "None")),
        (r".*\.currency|.*_currency", _TEXT, _pick("USD")),
        (r".*_(id|identifier|gid)", _TEXT, _maybe(0.8, lambda sketch: str(100_000 + sketch.index))),
        (r".*\.day_of_week", _INTEGER, _whole(7)),
        (r".*\.hour", _INTEGER, _whole(24)),
        (r".*\.status", _TEXT, lambda s: "inactive" if s.is_inactive else "pending" if s.chance(0.02) else "active"),
        (r".*\.inactivated_at", _TIMESTAMP, lambda sketch: _time(sketch) if sketch.is_inactive else None),
        (r".*\.membership", _TEXT, _pick("Full Member", "Regular Attender", "Visitor", None)),
        (r".*\.people_permissions", _TEXT, _maybe(0.05, _pick("Manager", "Editor", "Viewer", "No access"))),
        (r".*\.medical_notes", _TEXT, _maybe(0.03, _prose)),
        (r".*\.school_type", _TEXT, _when_child(_pick("elementary", "middle", "high"))),
        (r".*\.grade", _INTEGER, _when_child(lambda sketch: max(sketch.who.age - 6, -1))),
        (r".*\.graduation_year", _INTEGER, _when_child(lambda sketch: 2044 - sketch.who.age)),
        (r".*\.remote_id", _INTEGER, _maybe(0.1, _large_number)),
        (r".*\.(sequence|position|order)", _INTEGER, lambda sketch: sketch.index + 1),
        (r".*\.child", _BOOLEAN, lambda sketch: sketch.who.is_child),
        (r".*\.primary", _BOOLEAN, lambda sketch: sketch.rank == 0),
        (r".*\.(can_\w+|\w*administrator|blocked|pending|invalid)", _BOOLEAN, lambda sketch: sketch.chance(0.04)),
        (r".*\.passed_background_check", _BOOLEAN, _maybe(0.1, _pick(True))),
        (r".*\.birthdate", ColumnType.DATE, _maybe(0.7, _birthdate)),
        (r".*\.anniversary", ColumnType.DATE, _maybe(0.2, _day)),
        (r".*\.data_type", _TEXT, lambda sketch: _KINDS[sketch.index % len(_KINDS)]),
        (r".*\.(\w*time_zone)", _TEXT, _pick("America/Chicago", "America/New_York")),
        (r".*\.day", _TEXT, _pick("sunday", "sunday", "saturday", "wednesday")),
        (r".*\.site", _TEXT, _pick("facebook", "instagram", "linkedin")),
        (r".*\.(\w*url|website)", _TEXT, lambda sketch: f"https://example.org/{_slug(sketch)}"),
        (r".*\.(color|hex\w*)", _TEXT, lambda sketch: f"#{int(sketch.dice.random() * 0xFFFFFF):06x}"),
        (r".*\.slug", _TEXT, _slug),
        (r".*\.value", _TEXT, _value_text),
        (r".*\.(name|title|\w+_name)", _TEXT, _title),
        (r".*\.(\w*description|notes?|body|message|\w*instructions)", _TEXT, _maybe(0.6, _prose)),
        (r".*\.\w*cents", _INTEGER, _whole(50_000)),
        (r".*\.file", _JSON, lambda _: {"url": None}),
        (r".*\.\w*types", _JSON, _pick(["elementary"], ["middle", "high"])),
        (r".*\.latitude", _FLOAT, lambda sketch: round(30 + sketch.dice.random() * 15, 6)),
        (r".*\.longitude", _FLOAT, lambda sketch: round(-120 + sketch.dice.random() * 45, 6)),
        (r".*\.created_at", _TIMESTAMP, lambda sketch: stamp(sketch.created_at)),
        (r".*\.updated_at", _TIMESTAMP, lambda sketch: stamp(sketch.updated_at)),
        (
            r"(event_period|event_time|plan_time)\.starts_at",
            _TIMESTAMP,
            _in_rhythm(lambda s: stamp(_service(s)), _SOMETIME),
        ),
        (
            r"(event_period|event_time|plan_time)\.ends_at",
            _TIMESTAMP,
            _in_rhythm(lambda s: stamp(_service(s) + _LASTS), _SOMETIME),
        ),
        (r"plan\.(sort_date|last_time_at)", _TIMESTAMP, _in_rhythm(lambda s: stamp(_service(s)), _SOMETIME)),
        (r"event\.starts_at", _TIMESTAMP, _in_rhythm(lambda s: stamp(_evening(s)), _SOMETIME)),
        (r"event\.ends_at", _TIMESTAMP, _in_rhythm(lambda s: stamp(_evening(s) + _LASTS), _SOMETIME)),
        (r"donation\.received_at", _TIMESTAMP, _in_rhythm(lambda s: stamp(s.created_at), _SOMETIME)),
        (r"attendance\.attended", _BOOLEAN, _in_rhythm(_came, _pick(True, False))),
        (r"headcount\.total", _INTEGER, _in_rhythm(_crowd, _whole(60))),
        # Some of each even in a small church: archived groups and forms, deleted fields.
        (r"(group|form)\.archived_at", _TIMESTAMP, lambda sketch: _time(sketch) if sketch.index % 4 == 1 else None),
        (r"field_definition\.deleted_at", _TIMESTAMP, lambda s: _time(s) if s.index % 4 == 2 else None),
        (r"workflow\.deleted_at", _TIMESTAMP, lambda _: None),  # always null: developers#1234
        (r"song\.hidden", _BOOLEAN, lambda sketch: sketch.index % 9 == 4),
        (r".*\.(deleted|archived|canceled|paused|refunded|expired)_at", _TIMESTAMP, _maybe(0.05, _time)),
    )
)
_BY_KIND: Mapping[ColumnType, Value] = {
    _TEXT: _maybe(0.85, lambda sketch: " ".join(sketch.dice.choices(_WORDS, k=2))),
    _INTEGER: _whole(60),
    _FLOAT: lambda sketch: round(sketch.dice.random() * 100, 2),
    _BOOLEAN: _pick(True, False),
    ColumnType.DATE: _maybe(0.9, _day),
    _TIMESTAMP: _SOMETIME,
    _JSON: _maybe(0.5, lambda sketch: {"keys": [sketch.rank, "a"], "nested": {"is_on": sketch.chance(0.5)}}),
}
