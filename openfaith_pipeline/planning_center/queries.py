"""Query parameters for more, or less, than Planning Center shows by default."""

from collections.abc import Mapping, Sequence


def query_parameters(related: Sequence[str], shown: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """`include=emails,household.people` and `fields[Person]=name`. related: dotted. shown: by type."""
    query = {"include": ",".join(related)} if related else {}
    return query | {f"fields[{name}]": ",".join(fields) for name, fields in shown.items()}
