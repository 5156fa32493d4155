"""What records show unasked is asked for too, where `fields[...]` asks for what they show only then.

`fields[...]` leaves out whatever it does not name, so an attribute that the source adds would never be seen. Before the
first listing of such a type is read, one record of it is asked for as it comes; what that shows is asked for as well.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from openfaith_pipeline.catalog.stream import Stream
from openfaith_pipeline.planning_center.documents import Document
from openfaith_pipeline.planning_center.extract.pages import Fetch


@dataclass
class Unasked:
    """names: by stream, the attributes and relationships that its records show unasked, of those learnt so far."""

    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    def asking(self, fetch: Fetch, leads: Sequence[Stream]) -> Fetch:
        """The same fetch, asking for what the leads' records show unasked besides."""
        keys = {f"fields[{stream.type}]": stream for stream in leads if stream.only_asked}

        async def asked(path: str, params: Mapping[str, str]) -> Document:
            key = next((key for key in keys if key in params), None)
            if key is None:
                return await fetch(path, params)
            found = await self._learn(fetch, keys[key], path, params)
            if found is not None and found.data == []:
                return found  # nothing is there, whatever of it is asked for
            shown = dict.fromkeys((*params[key].split(","), *self.names.get(keys[key].name, ())))
            document = await fetch(path, {**params, key: ",".join(shown)})
            return document if found is None else replace(document, requests=document.requests + found.requests)

        return asked if keys else fetch

    async def _learn(self, fetch: Fetch, stream: Stream, path: str, params: Mapping[str, str]) -> Document | None:
        """The answer that was learnt from, None where all is known already."""
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
