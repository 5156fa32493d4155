"""Libraries that only some exports need, imported on first use."""

from importlib import import_module
from typing import Any, Final

from openfaith_pipeline.errors import UsageError

INSTALL: Final = "pip install 'openfaith-pipeline[export]'"


def needed(module: str, purpose: str) -> Any:
    """The module; UsageError with the command that installs it if it is missing."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise
        raise UsageError(f"{purpose} needs {error.name}, which is not installed: {INSTALL}") from None
