"""A rate limit that no test reaches, for tests that are not about it: the documented one has them wait."""

from typing import Final

from openfaith_pipeline.simulator.options import RateLimit

GENEROUS: Final = RateLimit(limit=100_000, period_seconds=1, high_offset_limit=100_000)
