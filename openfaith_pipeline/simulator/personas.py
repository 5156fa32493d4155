"""Made-up people, plausible but clearly fictional. A person has the same name, phone and address everywhere."""

import random
import unicodedata
import zlib
from dataclasses import dataclass
from functools import lru_cache


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_WOMEN = _words("""Linnea Yolande Nessa Marigold Isolde Fern Beatrix Tamsin Odette Saskia Ilse Wilhelmina Clementine
Noor Zoë Renée Łucja Amina Anaïs 美玲 Анна Sunniva Priya Xochitl Maren Thùy Elowen Delphine Hyacinth Rosalind""")
_MEN = _words("""Cassian Perrin Ulric Alder Emory Hollis Fenwick Bram Leopold Ansel Casper Dashiell José Søren Björn
Tadeusz عمر Kwame Hiroshi Mateo Caspian Fitzgerald Ignatius Barnaby Thaddeus Peregrine Ruaridh Ferdinand Jorge""")
_LAST_STARTS = _words("""Thistle Bramble Marrow Quill Ember Larks Whit Yard Callo Sterl Thack Ash Good Hazel Nettle
Pepper Winter Copper Fox Raven Dapple Mossy Harrow Kettle Lantern Otter Pebble Saffron Tumble Willow""")
_LAST_ENDS = _words("""wick dale by worth combe field stead mere ford thorpe holm gate ley bourne shaw croft ham ridge
more well""")
_RARE_LAST = ("O'Thistle", "Ñandúez", "Müller-Quillby", "de la Bramblería", "van der Mosswick", "李-Lanternley")
_AREA_CODES = ("212", "312", "404", "503", "615", "714", "786", "919")
_STREETS = _words("Juniper Lantern Millpond Cedar Hollow Orchard Chapel Willow Foxglove Harbour Saddler Quarry")
_WAYS = ("Street", "Avenue", "Lane", "Road", "Court", "Way")
_CITIES = (
    ("Cedar Hollow", "TN", "37999"),
    ("Millpond", "OH", "43999"),
    ("Saint Juniper", "CA", "95999"),
    ("Lantern Falls", "TX", "75999"),
    ("Foxglove", "GA", "30999"),
)
FAMILY_SIZE = 3
"""Neighbouring members share a last name and an address."""


@dataclass(frozen=True, slots=True)
class Persona:
    first_name: str
    last_name: str
    gender: str
    age: int

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @property
    def is_child(self) -> bool:
        return self.age < 18


@dataclass(frozen=True, slots=True)
class Phone:
    """A number from the ranges reserved for fiction: 555-01xx, and +44 20 7946 0xxx."""

    national: str
    international: str
    e164: str
    country_code: str


@dataclass(frozen=True, slots=True)
class Address:
    street: str
    city: str
    state: str
    zip: str


@lru_cache(maxsize=4096)
def _salt(seed: int, purpose: str) -> int:
    return zlib.crc32(f"{seed}.{purpose}".encode())


def scatter(seed: int, purpose: str, index: int) -> int:
    """A fixed pseudo-random number below 2**32 for record `index` and this purpose, the same in every process."""
    mixed = (index * 0x9E3779B1 + _salt(seed, purpose)) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 15)) * 0x85EBCA6B) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    return mixed ^ (mixed >> 16)


@lru_cache(maxsize=4096)
def persona(seed: int, stream: str, index: int) -> Persona:
    """The person of record `index` in a stream of people."""
    number = scatter(seed, stream, index)
    family = scatter(seed, f"{stream} family", index // FAMILY_SIZE)
    is_woman = bool(number & 1)
    names = _WOMEN if is_woman else _MEN
    return Persona(
        first_name=names[(number >> 1) % len(names)],
        last_name=_last_name(family),
        gender="Female" if is_woman else "Male",
        age=(number >> 8) % 17 if index % FAMILY_SIZE == FAMILY_SIZE - 1 else 19 + (number >> 8) % 70,
    )


def _last_name(number: int) -> str:
    if number % 25 == 0:
        return _RARE_LAST[(number // 25) % len(_RARE_LAST)]
    return _LAST_STARTS[number % len(_LAST_STARTS)] + _LAST_ENDS[(number >> 8) % len(_LAST_ENDS)]


@lru_cache(maxsize=4096)
def address_of(seed: int, stream: str, index: int) -> Address:
    number = scatter(seed, f"{stream} address", index // FAMILY_SIZE)
    city, state, zip_code = _CITIES[(number >> 16) % len(_CITIES)]
    street = f"{1 + number % 998} {_STREETS[(number >> 4) % len(_STREETS)]} {_WAYS[(number >> 8) % len(_WAYS)]}"
    return Address(street, city, state, zip_code)


def dial(dice: random.Random) -> Phone:
    """A fictional phone number, occasionally one from the United Kingdom."""
    number = dice.randrange(100)
    if dice.random() < 0.03:
        local = f"20 7946 {number:04d}"
        return Phone(f"0{local}", f"+44 {local}", f"+44{local.replace(' ', '')}", "GB")
    area = dice.choice(_AREA_CODES)
    return Phone(f"({area}) 555-01{number:02d}", f"+1 {area}-555-01{number:02d}", f"+1{area}55501{number:02d}", "US")


def email_of(who: Persona, number: int) -> str:
    """An address under the reserved domains example.com and example.org."""
    name = unicodedata.normalize("NFKD", f"{who.first_name}.{who.last_name}").encode("ascii", "ignore").decode()
    local = "".join(letter for letter in name.lower() if letter.isalnum() or letter == ".").strip(".")
    return f"{local or 'member'}{number}@example.{'org' if number % 3 else 'com'}"
