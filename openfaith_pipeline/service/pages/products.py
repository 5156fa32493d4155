"""Contents of each product, in the terms of Planning Center's users."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class ProductWords:
    """A product as Planning Center's users call it, and the records read from it."""

    name: str
    text: str


_WORDS: Final[Mapping[str, ProductWords]] = {
    "people": ProductWords(
        "People",
        "names, addresses, e-mail, phone numbers, birthdays, households, your own custom fields, medical notes, whether"
        " a background check was passed, profile notes, forms and their answers, lists, workflows and messages",
    ),
    "giving": ProductWords(
        "Giving",
        "who gave how much, when and for what fund, pledges and recurring gifts, and the last four digits of a card",
    ),
    "groups": ProductWords("Groups", "groups, who belongs to them and applies, their events and attendance"),
    "check_ins": ProductWords(
        "Check-Ins", "who was checked in where and when, children among them, with medical notes and security labels"
    ),
    "services": ProductWords("Services", "plans, songs, teams, who serves when, and the days on which people are away"),
    "calendar": ProductWords("Calendar", "events, rooms and resources, and who booked them"),
    "registrations": ProductWords("Registrations", "signups, who registered, and the emergency contacts they named"),
    "publishing": ProductWords("Publishing", "sermons, series and speakers, and how often they were watched"),
}


def words_of(scopes: Collection[str]) -> list[ProductWords]:
    """The words of these products, without those that hold no data of a church's own."""
    return [words for product, words in _WORDS.items() if product in scopes]
