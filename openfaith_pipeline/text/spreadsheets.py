"""Text that a spreadsheet must not take for a formula.

A formula also begins behind a separator or a quotation mark, where a program splits the line otherwise than it was
written. The patterns are understood by Python and by Postgres.
"""

import re
from typing import Final

BEGINNING: Final = '(^|[;,\t\r\n"])(\\s*[=+@\uff1d\uff0b\uff0d\uff20-])'
GUARDED: Final = r"\1'\2"

_BEGINNING: Final = re.compile(BEGINNING)


def guarded(text: str) -> str:
    """The text with an apostrophe before each beginning of a formula."""
    return _BEGINNING.sub(GUARDED, text)
