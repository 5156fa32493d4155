"""The declaration of personal data: which records are erased with a person, and which only name one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from openfaith_pipeline.catalog.stream import Stream


@dataclass(frozen=True, kw_only=True)
class Personal:
    """The part that a stream's records have in a person's data.

    A relationship that is not in `erased_with` only names a record: when that record is erased, the reference is
    removed and the rest of this record stays.

    erased_with: relationships to a person, or to a record of a person's, that this record is a part of.
    describes: relationship to the person that a record is about -> attributes that describe them, which are removed
        with the reference. An export of the person has the record whole.
    erased_once_unnamed: relationships to a record that loses the person it named, with which this record is erased.
    members: a stream whose records each name this one; with the last of them it is erased.
    shares: attribute -> stream and its attribute. A record that names nobody is erased with those of that stream that
        have the same value, regardless of case, unless another live one has it too.
    """

    erased_with: tuple[str, ...] = ()
    describes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    erased_once_unnamed: tuple[str, ...] = ()
    members: str | None = None
    shares: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class PersonalData:
    """Every declaration of one source.

    people: streams whose records are people, all by the ids of the first.
    personal: by stream name.
    """

    people: tuple[Stream, ...]
    personal: Mapping[str, Personal]

    @property
    def person(self) -> Stream:
        """The stream that people are named by."""
        return self.people[0]

    def of(self, stream: Stream) -> Personal:
        """The stream's declaration, empty unless it has one."""
        return self.personal.get(stream.name, _NONE)

    def is_person(self, name: str) -> bool:
        return any(stream.name == name for stream in self.people)

    def identity(self, name: str) -> str:
        """The stream whose ids identify the records of stream `name`; it is the same one for every product's people."""
        return self.person.name if self.is_person(name) else name


@dataclass(frozen=True)
class PersonalDataOfSources:
    """The declarations of all sources, by adapter. Two sources may have people with one id, who are two people."""

    by_adapter: Mapping[str, PersonalData]

    @cached_property
    def personal(self) -> Mapping[str, Personal]:
        return {name: each for data in self.by_adapter.values() for name, each in data.personal.items()}

    def of(self, stream: Stream) -> Personal:
        return self.by_adapter[stream.adapter].of(stream)

    def is_person(self, name: str) -> bool:
        return any(data.is_person(name) for data in self.by_adapter.values())

    def identity(self, name: str) -> str:
        """The stream whose ids identify the records of stream `name`, which is of the same source."""
        return next((data.person.name for data in self.by_adapter.values() if data.is_person(name)), name)


_NONE = Personal()
