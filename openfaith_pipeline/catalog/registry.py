"""The registry of streams, with checks across streams."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType, ModuleType

from openfaith_pipeline.catalog.stream import Stream


def registry_of(modules: Iterable[ModuleType]) -> Mapping[str, Stream]:
    """All streams declared in the modules, by name and in order.

    ValueError for duplicate names or unknown references.
    """
    declared = [value for module in modules for value in vars(module).values() if isinstance(value, Stream)]
    registry = {stream.name: stream for stream in declared}
    if len(registry) != len(declared):
        raise ValueError("two streams have the same name")
    for stream in declared:
        unknown = {target for target in _targets(stream) if target not in registry}
        if unknown:
            raise ValueError(f"{stream.name} refers to unknown streams: {sorted(unknown)}")
    return MappingProxyType(registry)


def _targets(stream: Stream) -> set[str]:
    to_one = {target for target in stream.belongs_to.values() if target}
    to_many = {target for target in stream.has_many.values() if target}
    return to_one | to_many | set(stream.walked_under.values())
