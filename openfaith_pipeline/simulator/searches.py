"""`where[search_name]` and its kin: searches of people by their names, e-mail addresses and phone numbers.

As measured: a name is found by the beginnings of its words, an e-mail address by any part of it, a phone number by its
last digits or by all of it in international form.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.records import Record
from openfaith_pipeline.simulator.tables import Table, fold

_NAMES: Final = ("first_name", "given_name", "nickname", "middle_name", "last_name", "name")
Test = Callable[[Church, Table, Record, str], bool]


def found(church: Church, table: Table, params: Mapping[str, str], scope: Sequence[int] | None) -> Sequence[int] | None:
    """Ids in `scope` (all when None) that the searches of these parameters find."""
    for name, test in SEARCHES.items():
        wanted = params.get(f"where[{name}]")
        if wanted is not None and name in table.shape.can_query_by:
            ids = table.ids if scope is None else scope
            scope = [id for id in ids if test(church, table, table.record(id), wanted)]
    return scope


def _has_name(_: Church, __: Table, record: Record, wanted: str) -> bool:
    names = [fold(value) for name in _NAMES if isinstance(value := record.attributes.get(name), str)]
    begun = {word for name in names for word in name.split()}
    return all(any(word.startswith(part) for word in begun) for part in fold(wanted).split())


def _has_email(church: Church, table: Table, record: Record, wanted: str) -> bool:
    return any(fold(wanted) in fold(address) for address in _of(church, table, record, "emails", "address"))


def _has_phone(church: Church, table: Table, record: Record, wanted: str) -> bool:
    digits = re.sub(r"\D", "", wanted)
    numbers = _of(church, table, record, "phone_numbers", "e164")
    return bool(digits) and any(number.endswith(digits) for number in numbers)


def _has_e164(church: Church, table: Table, record: Record, wanted: str) -> bool:
    return wanted in _of(church, table, record, "phone_numbers", "e164")


def _any(*tests: Test) -> Test:
    return lambda church, table, record, wanted: any(test(church, table, record, wanted) for test in tests)


def _of(church: Church, table: Table, record: Record, edge: str, attribute: str) -> Iterator[str]:
    """An attribute of the records that an edge leads to from this one."""
    way = table.shape.edges.get(edge)
    if way:
        others = church.table(church.end_of(way))
        for id in church.reached(way, (table.shape.stream.name, record.id)):
            value: Any = others.record(id).attributes.get(attribute)
            if isinstance(value, str):
                yield value


SEARCHES: Final[Mapping[str, Test]] = {
    "search_name": _has_name,
    "search_name_or_email": _any(_has_name, _has_email),
    "search_name_or_email_or_phone_number": _any(_has_name, _has_email, _has_phone),
    "search_phone_number": _has_phone,
    "search_phone_number_e164": _has_e164,
}
"""By the name in `where`."""
