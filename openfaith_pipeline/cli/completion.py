"""Shell completion of connected orgs, products and streams. It starts nothing and prints nothing else.

A church's name comes from outside and gets into a shell's command line: bash inserts it as it is, and zsh evaluates it.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import psycopg

from openfaith_pipeline.cli.database_at_hand import url_at_hand
from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.errors import OpenFaithError
from openfaith_pipeline.settings import load_settings, own_environment

_WAIT_SECONDS: Final = 2
_SHELL: Final = "_OPENFAITH_PIPELINE_COMPLETE"
_STRANGE: Final = re.compile(r"[^\w .,'&()/#+:@-]")
_SPECIAL: Final = re.compile(r"[^\w.,/+:@-]")
_ORGS: Final = "SELECT org_id, name FROM sync.orgs WHERE removed_at IS NULL ORDER BY name, org_id"


class _Word(str):
    """A word that fits. Typer would compare it, with its quotes, to the typed text without them."""

    __slots__ = ()

    def startswith(self, *_: Any) -> bool:
        return True


def complete_org(incomplete: str) -> Iterator[tuple[str, str]]:
    """Org ids that begin with the typed text, each with its church's name; or church names that begin with it.

    A name with characters that a shell may act on is not offered: such a church goes by its id.
    """
    for org_id, name in _orgs():
        plain = _STRANGE.sub("", name)
        if org_id.startswith(incomplete):
            yield org_id, plain
        elif plain == name and name.casefold().startswith(incomplete.casefold()) and (word := _as_word(name)):
            yield _Word(word), org_id


def complete_stream(incomplete: str) -> Iterator[tuple[str, str]]:
    """The streams whose name begins with this, each with its type."""
    from openfaith_pipeline.sources import STREAMS

    return ((name, stream.type) for name, stream in STREAMS.items() if name.startswith(incomplete))


def complete_product(incomplete: str) -> Iterator[str]:
    from openfaith_pipeline.sources import PRODUCTS

    return (name for name in PRODUCTS if name.startswith(incomplete))


def _as_word(name: str) -> str | None:
    """The name, quoted so that the shell reads it as one word; None if that is impossible."""
    environment = own_environment()
    match environment.get(_SHELL):
        case "complete_bash":
            [*_, typed] = ["", *environment.get("COMP_WORDS", "").split("\n")[: _position(environment) + 1]]
            return _quoted(name, typed[:1])
        case "complete_zsh" if "'" in name:  # Typer's script would drop the apostrophe
            return None
    return name


def _position(environment: dict[str, str]) -> int:
    """The position of the word being completed, in a bash script."""
    position = environment.get("COMP_CWORD", "0")
    return int(position) if position.isdecimal() else 0


def _quoted(name: str, quote: str) -> str:
    """quote: the one at the beginning of the word; bash adds the closing one."""
    if quote == '"':
        return name
    return name.replace("'", r"'\''") if quote == "'" else _SPECIAL.sub(r"\\\g<0>", name)


def _orgs() -> list[tuple[str, str]]:
    with suppress(OpenFaithError, *TROUBLE, OSError):
        if url := url_at_hand(load_settings()):
            with psycopg.connect(url, connect_timeout=_WAIT_SECONDS) as connection:
                return connection.execute(_ORGS).fetchall()
    return []
