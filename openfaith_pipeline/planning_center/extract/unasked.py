"""Keep attributes shown by default when `fields[...]` is used for attributes that are only shown on request.

`fields[...]` omits everything it does not name, so an attribute that the source adds later would never be seen. Before
the first listing of such a type, one record of it is requested without `fields`, and all it shows is requested too.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from openfaith_pipeline.catalog.reading import Document, Fetch
from openfaith_pipeline.catalog.stream import Stream


@dataclass
class Unasked:
    """names: by stream, the attributes and relationships that its records show by default, as far as known."""

    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    def asking(self, fetch: Fetch, leads: Sequence[Stream]) -> Fetch:
        """The fetch with the default fields of the leads' records added to its requests."""
        keys = {f"fields[{stream.type}]": stream for stream in leads if stream.only_asked}

        async def asked(path: str, params: Mapping[str, str]) -> Document:
            key = next((key for key in keys if key in params), None)
            if key is None:
                return await fetch(path, params)
            found = await self._learn(fetch, keys[key], path, params)
            if found is not None and found.data == []:
                return found  # the path does not exist, with or without these fields
            shown = dict.fromkeys((*params[key].split(","), *self.names.get(keys[key].name, ())))
            document = await fetch(path, {**params, key: ",".join(shown)})
            return document if found is None else replace(document, requests=document.requests + found.requests)

        return asked if keys else fetch

    async def _learn(self, fetch: Fetch, stream: Stream, path: str, params: Mapping[str, str]) -> Document | None:
        """Learn from one record and return its document; None if everything is known already."""
        async with self._locks[stream.name]:
            if stream.name in self.names:
                return None
            plain = {name: value for name, value in params.items() if name != "include" and "fields[" not in name}
            document = await fetch(path, {**plain, **({"per_page": "1"} if "per_page" in plain else {})})
            row = next(iter(document.data), None) if isinstance(document.data, list) else document.data
            if isinstance(row, dict):
                parts = (row.get(part) for part in ("attributes", "relationships"))
                self.names[stream.name] = tuple(
                    name for part in parts if isinstance(part, dict) for name in part if name not in stream.withheld
                )
            return document
