"""Work around parts of a listing that cannot be read: an include or a record that makes responses fail.

A request that fails for good is asked for again in other ways, with few attempts at each: without its includes, which
finds those at fault, then in pieces, down to the one record.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from openfaith_pipeline.catalog.reading import OWN_FAULTS, Document, Fetch, Fetches, PartsRefused, is_own_fault
from openfaith_pipeline.catalog.walk import Refused
from openfaith_pipeline.errors import (
    OpenFaithError,
    StreamForbidden,
    TransientError,
)

MOST_UNREAD: Final = 3
"""Records of one page that may be left out. If more fail, the records are not the cause."""


class Unread(NamedTuple):
    """Placeholder for a record that could not be read, so that its neighbours keep their positions.

    place: such as `/people/v2/people, record 217 of its listing`. reason: the error of the request.
    """

    place: str
    reason: str


class IncludesRefused(PartsRefused):
    """A listing that can be read only without these includes.

    errors: by dotted name, the error with it.
    """

    def __init__(self, errors: Mapping[str, OpenFaithError]) -> None:
        super().__init__(
            [
                Refused(name, f"include={name}: {error}", isinstance(error, StreamForbidden))
                for name, error in errors.items()
            ]
        )


def going_around(fetches: Fetches) -> Fetch:
    """A fetch that works around failing includes and records.

    While no other form of a request is answered either, the fault counts as Planning Center's, and the request has the
    usual patience. Raises IncludesRefused besides the errors of these fetches. Records that cannot be read are Unread
    in the document's data.
    """

    async def careful(path: str, params: Mapping[str, str]) -> Document:
        try:
            return await fetches.brief(path, params)
        except OWN_FAULTS as error:
            if not is_own_fault(error):
                raise
            document = await _Around(fetches.probe, path, params, error).read()
            if document is None and not isinstance(error, TransientError):
                raise
        return await fetches.patient(path, params) if document is None else document

    return careful


@dataclass
class _Around:
    """Handling of one failed request."""

    probe: Fetch
    path: str
    params: Mapping[str, str]
    error: OpenFaithError

    async def read(self) -> Document | None:
        """The document, None if no other form of the request is answered."""
        if "include" in self.params and await self._ask(include=()) is not None:
            return await self._without_includes()
        if isinstance(self.error, TransientError) and int(self.params.get("per_page", 1)) > 1:
            return await _Pieces(self.probe, self.path, self.params, self.error).read()
        return None

    async def _without_includes(self) -> Document:
        """Raise IncludesRefused with the failing includes, or return the document if none fails any longer."""
        names = self.params["include"].split(",")
        if isinstance(self.error, TransientError):
            # The fault may have passed between the last request with the includes and that without.
            document = await self._ask(include=names)
            if document is not None:
                return document
        errors = await self._faulty(names, self.error)
        if not errors:
            document = await self._ask(include=names)
            if document is not None:
                return document
            # Each half succeeds, but the whole is too much.
            errors = dict.fromkeys(names[len(names) // 2 :], self.error)
        raise IncludesRefused(errors)

    async def _faulty(self, names: Sequence[str], error: OpenFaithError) -> dict[str, OpenFaithError]:
        """The includes that fail on their own, out of some that fail together. error: with all of them."""
        if len(names) == 1:
            return {names[0]: error}
        found: dict[str, OpenFaithError] = {}
        for half in (names[: len(names) // 2], names[len(names) // 2 :]):
            if await self._ask(include=half) is None:
                found |= await self._faulty(half, self.last)
        return found

    async def _ask(self, include: Collection[str]) -> Document | None:
        """The document with these includes and their prefixes; None if the request fails."""
        asked = sorted(
            {".".join(name.split(".")[: depth + 1]) for name in include for depth in range(name.count(".") + 1)}
        )
        rest = {name: value for name, value in self.params.items() if name != "include"}
        try:
            return await self.probe(self.path, {**rest, "include": ",".join(asked)} if asked else rest)
        except OWN_FAULTS as error:
            if not is_own_fault(error):
                raise
            self.last: OpenFaithError = error
            return None


@dataclass
class _Pieces:
    """Reads a failing page in pieces."""

    probe: Fetch
    path: str
    params: Mapping[str, str]
    error: OpenFaithError
    unread: int = 0

    async def read(self) -> Document | None:
        """The page, read in pieces; None if not even single records of it are answered.

        Raises the page's error if more than a few of its records fail, or all.
        """
        size, offset = int(self.params["per_page"]), int(self.params.get("offset", 0))
        if not (await self._is_answered(offset) or await self._is_answered(offset + size // 2)):
            return None
        rows, pieces = await self._halves(offset, size)
        if not pieces:
            raise self.error
        last = pieces[-1]
        total = last.total_count
        following = last.next_offset if total is None else (offset + size if offset + size < total else None)
        return replace(
            last,
            data=rows if total is None else rows[: max(0, total - offset)],
            included=[row for piece in pieces for row in piece.included],
            next_offset=following,
            requests=sum(piece.requests for piece in pieces),
            waited_seconds=sum(piece.waited_seconds for piece in pieces),
        )

    async def _is_answered(self, offset: int) -> bool:
        """Whether the record at this offset can be read; if the listing fails as a whole, none can."""
        try:
            await self.probe(self.path, {**self.params, "per_page": "1", "offset": str(offset)})
        except TransientError as error:
            if not is_own_fault(error):
                raise
            return False
        return True

    async def _halves(self, offset: int, size: int) -> tuple[list[Any], list[Document]]:
        first = size // 2
        rows, pieces = await self._piece(offset, first)
        more, others = await self._piece(offset + first, size - first)
        return rows + more, pieces + others

    async def _piece(self, offset: int, size: int) -> tuple[list[Any], list[Document]]:
        place = {**self.params, "per_page": str(size), "offset": str(offset)}
        for is_last_attempt in (False, True):
            try:
                document = await self.probe(self.path, place)
            except TransientError as error:
                if not is_own_fault(error):
                    raise
                if size > 1:
                    return await self._halves(offset, size)
                if is_last_attempt:
                    return [self._leave_out(offset, error)], []
            else:
                return (document.data if isinstance(document.data, list) else []), [document]
        raise AssertionError("the last attempt returns")

    def _leave_out(self, offset: int, error: OpenFaithError) -> Unread:
        self.unread += 1
        if self.unread > MOST_UNREAD:
            raise self.error
        return Unread(f"{self.path}, record {offset + 1} of its listing", str(error))
