"""Make untrusted text safe for a terminal, a log and a message: one line, without control characters.

A church's name, a record's id or a response of the API can contain characters that move the cursor, ring a bell, hide
part of a line or reverse the order of its letters.
"""

import hashlib
import re
from typing import Final

REPLACEMENT: Final = "\ufffd"

# Line breaks and tabs of every kind; C0, DEL and C1; marks and overrides of direction; invisible characters; halves of
# surrogate pairs. The joiners U+200C and U+200D stay: emoji and whole scripts need them.
_BREAKS: Final = re.compile(r"[\t-\r\x85\u2028\u2029]+")
_COMMANDS: Final = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\ud800-\udfff]"
)
_IN_JSON: Final = re.compile(
    r"[\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)

_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+-]{0,63}")


def plain_or_hash(name: str) -> str:
    """A name or id from outside as it is, if it looks like one; else a hash, by which to find it.

    For places that must hold no personal data: where an id is expected, a source may send anything.
    """
    if _PLAIN.fullmatch(name):
        return name
    return f"unusual-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:8]}"


def printable(text: str) -> str:
    """The text on one line: spaces for line breaks and tabs, replacement characters for control characters."""
    return _COMMANDS.sub(REPLACEMENT, _BREAKS.sub(" ", text))


def printable_json(document: str) -> str:
    r"""An equivalent JSON document with terminal control characters as `\u` escapes."""
    return _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
