"""Value rules: how a value of a source record becomes a canonical one, as data that can be read in both directions.

`transform/values.py` compiles each to SQL; `source_values` reads it backwards. A rule takes up its `attributes`, which
then become no custom fields. `default` is used if the source has no value, for columns that may not be null.
`is_lossy`: the rule cannot hold every value; where it gives null, its attributes become custom fields after all.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final


@dataclass(frozen=True)
class Take:
    """The attribute as it is; money stays in the source's cents, a file's URL stays a URL."""

    attribute: str
    default: str | bool | None = None
    is_lossy: ClassVar[bool] = False

    @property
    def attributes(self) -> tuple[str, ...]:
        return (self.attribute,)


@dataclass(frozen=True, init=False)
class FirstOf:
    """The first of the attributes that is not null."""

    attributes: tuple[str, ...]
    default: str | None = None
    is_lossy: ClassVar[bool] = False

    def __init__(self, *attributes: str, default: str | None = None) -> None:
        object.__setattr__(self, "attributes", attributes)
        object.__setattr__(self, "default", default)


@dataclass(frozen=True, init=False)
class Joined:
    """The texts of the attributes that are neither null nor empty, with `by` between them; null if all are."""

    attributes: tuple[str, ...]
    by: str
    default: str | None = None
    is_lossy: ClassVar[bool] = False

    def __init__(self, *attributes: str, by: str = " ", default: str | None = None) -> None:
        object.__setattr__(self, "attributes", attributes)
        object.__setattr__(self, "by", by)
        object.__setattr__(self, "default", default)


@dataclass(frozen=True)
class Constant:
    """The same text for every record. is_required: its column may not be null."""

    value: str
    is_required: bool = False
    attributes: ClassVar[tuple[str, ...]] = ()
    is_lossy: ClassVar[bool] = False

    @property
    def default(self) -> str | None:
        return self.value if self.is_required else None


@dataclass(frozen=True)
class Choice:
    """One of a few values, by the source's term for it in lower case; the first word of a value is written back."""

    attribute: str
    words: Mapping[str, str]
    default: str | None = None
    is_lossy: ClassVar[bool] = True

    @property
    def attributes(self) -> tuple[str, ...]:
        return (self.attribute,)


@dataclass(frozen=True)
class Money:
    """An amount in cents, a whole number. Its currency is a column of its own."""

    attribute: str
    default: ClassVar[None] = None
    is_lossy: ClassVar[bool] = False

    @property
    def attributes(self) -> tuple[str, ...]:
        return (self.attribute,)


@dataclass(frozen=True)
class Integer32:
    """A whole number of at most 32 bits, for a column that the application made no wider."""

    attribute: str
    default: int | None = None
    is_lossy: ClassVar[bool] = True

    @property
    def attributes(self) -> tuple[str, ...]:
        return (self.attribute,)


@dataclass(frozen=True)
class Day:
    """A date as YYYY-MM-DD text."""

    attribute: str
    default: ClassVar[None] = None
    is_lossy: ClassVar[bool] = False

    @property
    def attributes(self) -> tuple[str, ...]:
        return (self.attribute,)


@dataclass(frozen=True)
class Matching:
    """The text, if all of it matches the pattern (a POSIX regular expression without anchors), upper-cased if so."""

    attribute: str
    pattern: str
    is_upper: bool = False
    default: str | None = None
    is_lossy: ClassVar[bool] = True

    @property
    def attributes(self) -> tuple[str, ...]:
        return (self.attribute,)


@dataclass(frozen=True)
class Phone:
    """A phone number as E.164: the source's own form, or else worked out from the number and its country."""

    e164: str
    number: str
    country: str
    default: ClassVar[None] = None
    is_lossy: ClassVar[bool] = True

    @property
    def attributes(self) -> tuple[str, ...]:
        """The country keeps a column of its own."""
        return (self.e164, self.number)


@dataclass(frozen=True)
class Presence:
    """One of two texts: whether the attribute is present, or, for a flag, whether it is true.

    The attribute itself stays for another rule or becomes a custom field. also: another that counts as well.
    """

    attribute: str
    present: str
    absent: str
    also: str | None = None
    attributes: ClassVar[tuple[str, ...]] = ()
    default: ClassVar[None] = None
    is_lossy: ClassVar[bool] = False


@dataclass(frozen=True)
class Reference:
    """The id of the entity that a to-one relationship names; null, or the default, if it names none."""

    relationship: str
    default: str | None = None
    attributes: ClassVar[tuple[str, ...]] = ()
    is_lossy: ClassVar[bool] = False


Rule = Take | FirstOf | Joined | Constant | Choice | Money | Integer32 | Day | Matching | Phone | Presence | Reference

_UNDERSCORE: Final = re.compile(r"_([a-z0-9])")


def camel(name: str) -> str:
    """`joined_at` -> `joinedAt`."""
    return _UNDERSCORE.sub(lambda found: found[1].upper(), name)


def taken(*attributes: str) -> Mapping[str, Rule]:
    """Each attribute as it is, in a column named after it: `joined_at` in `joinedAt`."""
    return {camel(name): Take(name) for name in attributes}


class NotWritable(ValueError):
    """The value cannot be expressed in the source's terms."""


def source_values(rule: Rule, value: object) -> Mapping[str, object]:  # noqa: PLR0911 - a case for each rule
    """Read a rule backwards: the source attributes, or the relationship, that give this canonical value.

    A Reference gives the relationship with the entity's id, which the caller looks up. Raises NotWritable.
    """
    match rule:
        case Reference(relationship):
            return {relationship: value}
        case Choice(attribute, words):
            return {attribute: _word(words, value)}
        case Matching(attribute, pattern):
            _check_matches(pattern, value)
            return {attribute: value}
        case Phone(number=number):
            return {number: value}
        case Take(attribute) | Money(attribute) | Integer32(attribute) | Day(attribute):
            return {attribute: value}
        case FirstOf(attributes):
            return {attributes[0]: value}
        case Constant(value=constant) if value == constant:
            return {}
    raise NotWritable(f"{value!r} follows from {_named(rule)} and cannot be written back")


def is_writable(rule: Rule) -> bool:
    """Whether any value of the rule can be written back."""
    return not isinstance(rule, Joined | Constant | Presence)


def _word(words: Mapping[str, str], value: object) -> str | None:
    if value is None:
        return None
    for word, meaning in words.items():
        if meaning == value:
            return word
    raise NotWritable(f"{value!r} is not one of {', '.join(dict.fromkeys(words.values()))}")


def _check_matches(pattern: str, value: object) -> None:
    if value is not None and not re.fullmatch(pattern, str(value)):
        raise NotWritable(f"{value!r} does not match {pattern}")


def _named(rule: Rule) -> str:
    return " and ".join(rule.attributes) or "no attribute"
