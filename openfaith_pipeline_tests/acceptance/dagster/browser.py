"""The browser that the machine has."""

import os
import shutil
from typing import Final

import pytest

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")

FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str:
    """The program that `CHROMIUM` names, else the first found in PATH."""
    found = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES)]
    chosen = next((path for path in found if path), None)
    missing = f"no browser: install chromium or name one in CHROMIUM (looked for {', '.join(NAMES)})"
    if not chosen and os.geteuid() and "CI" not in os.environ:
        pytest.skip(missing)  # someone who may not install it; `make test` does so for root
    assert chosen, missing
    return chosen
