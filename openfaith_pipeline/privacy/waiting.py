"""Patience with syncs that are running."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from openfaith_pipeline.errors import StreamBusy

_Result = TypeVar("_Result")

_PAUSE_SECONDS: Final = 2.0


def once_free(act: Callable[[], _Result], *, wait: bool, tell: Callable[[str], None]) -> _Result:
    """The result of `act`. While a sync holds the org, tries again if `wait` is set, else raises StreamBusy."""
    has_told = False
    while True:
        try:
            return act()
        except StreamBusy as busy:
            if not wait:
                raise StreamBusy(f"{busy}; --wait waits until it is done") from None
            if not has_told:
                tell(f"waiting: {busy}")
            has_told = True
            time.sleep(_PAUSE_SECONDS)
