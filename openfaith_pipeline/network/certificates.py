"""The trusted certificates that the environment names. Unreadable ones are refused by name."""

import ssl
from functools import cache
from pathlib import Path
from typing import Any

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.settings import shared_variable


def certificates_named() -> str | None:
    """The file or directory of certificates that the environment names."""
    found = shared_variable("SSL_CERT_FILE") or shared_variable("SSL_CERT_DIR")
    return found[1] if found else None


def tls_context() -> ssl.SSLContext:
    """Trusts SSL_CERT_FILE or SSL_CERT_DIR, else the authorities bundled with httpx."""
    return _own_context() or _usual_context()


def mail_tls_context() -> ssl.SSLContext:
    """Like `tls_context`, but by default trusts this machine's authorities: a mail server is often in-house."""
    return _own_context() or _system_context()


def _own_context() -> ssl.SSLContext | None:
    if file := shared_variable("SSL_CERT_FILE"):
        return _trusting(file[0], cafile=file[1])
    if directory := shared_variable("SSL_CERT_DIR"):
        if not Path(directory[1]).is_dir():
            raise ConfigurationError(f"{directory[0]} does not name a directory that can be read")
        return _trusting(directory[0], capath=directory[1])
    return None


@cache
def _trusting(variable: str, **where: str) -> ssl.SSLContext:
    try:
        # Separately, so that only this can be the cause of an error: a default context reads SSLKEYLOGFILE as well.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(**where)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        raise ConfigurationError(f"{variable} does not name certificates in PEM that can be read ({reason})") from None
    return _default_context(**where)


@cache
def _usual_context() -> ssl.SSLContext:
    import certifi  # noqa: PLC0415 - a client that encrypts nothing needs none

    return _default_context(cafile=certifi.where())


@cache
def _system_context() -> ssl.SSLContext:
    return _default_context()


def _default_context(**where: Any) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(**where)
    except OSError as error:
        if shared_variable("SSLKEYLOGFILE") is None:
            raise
        raise ConfigurationError(f"SSLKEYLOGFILE names a file that cannot be written ({error.strerror})") from None
