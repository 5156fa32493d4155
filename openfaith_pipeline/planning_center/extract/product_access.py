"""Access to each product: its first request goes alone, so that a refused product costs a single request."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from openfaith_pipeline.catalog.reading import Client, Document, Fetch
from openfaith_pipeline.catalog.source import Product
from openfaith_pipeline.catalog.walk import Walk
from openfaith_pipeline.errors import OpenFaithError, ProductNotGranted
from openfaith_pipeline.planning_center.extract.unasked import Unasked


class _How(TypedDict):
    is_leading: bool
    attempts: int | None


@dataclass
class ProductDoors:
    """Access of one attempt to the products of one org. answers: by product already tried, the refusal or None."""

    client: Client
    answers: dict[Product, ProductNotGranted | None] = field(default_factory=dict)
    unasked: Unasked = field(default_factory=Unasked)
    _locks: dict[Product, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    def fetch_for(self, walk: Walk, attempts: int | None = None) -> Fetch:
        """A fetch for the walk's documents; raises the product's known refusal without another request.

        attempts: fewer than usual.
        """
        product = walk.streams[0].product
        # Pages of one listing depend on each other; those of many parents' children are independent.
        how: _How = {"is_leading": not any(route.placeholders for route in walk.routes), "attempts": attempts}

        async def fetch(path: str, params: Mapping[str, str]) -> Document:
            if product not in self.answers:
                async with self._locks[product]:
                    if product not in self.answers:
                        return await self._ask(product, path, params, how)
            return await self._ask(product, path, params, how)

        return self.unasked.asking(fetch, walk.leads)

    async def _ask(self, product: Product, path: str, params: Mapping[str, str], how: _How) -> Document:
        refusal = self.answers.get(product)
        if refusal:
            raise refusal
        try:
            document = await self.client.get(path, params, product=product, **how)
        except ProductNotGranted as refusal:
            self.answers[product] = refusal
            raise
        except OpenFaithError:
            # Whatever is wrong with this one path, the waiting requests need not find out one after the other.
            self.answers.setdefault(product, None)
            raise
        self.answers[product] = None
        return document
