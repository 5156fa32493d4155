"""Settings of every Postgres session, independent of the environment, the role, the database and the server.

Values are read and written as text: with another DateStyle, IntervalStyle or number of digits they would come back
changed. Timeouts are set where they are needed.
"""

from typing import Any, Final

from openfaith_pipeline.settings import Settings, forget_variables

SETTINGS: Final = {
    "TimeZone": "UTC",
    "DateStyle": "ISO,MDY",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "array_nulls": "on",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "search_path": "public",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
}

ENCODING: Final = "UTF8"

_OF_LIBPQ: Final = frozenset(
    {
        "PGAPPNAME",
        "PGCLIENTENCODING",
        "PGCONNECT_TIMEOUT",
        "PGDATABASE",
        "PGDATESTYLE",
        "PGGEQO",
        "PGHOST",
        "PGHOSTADDR",
        "PGLOADBALANCEHOSTS",
        "PGLOCALEDIR",
        "PGMAXPROTOCOLVERSION",
        "PGMINPROTOCOLVERSION",
        "PGOPTIONS",
        "PGPASSFILE",
        "PGPASSWORD",
        "PGPORT",
        "PGSERVICE",
        "PGSERVICEFILE",
        "PGSYSCONFDIR",
        "PGTARGETSESSIONATTRS",
        "PGTZ",
        "PGUSER",
    }
)
_OF_ITS_PROTECTION: Final = frozenset(
    {
        "PGCHANNELBINDING",
        "PGGSSDELEGATION",
        "PGGSSENCMODE",
        "PGGSSLIB",
        "PGKRBSRVNAME",
        "PGREQUIREAUTH",
        "PGREQUIREPEER",
        "PGREQUIRESSL",
        "PGSSLCERT",
        "PGSSLCERTMODE",
        "PGSSLCOMPRESSION",
        "PGSSLCRL",
        "PGSSLCRLDIR",
        "PGSSLKEY",
        "PGSSLMAXPROTOCOLVERSION",
        "PGSSLMINPROTOCOLVERSION",
        "PGSSLMODE",
        "PGSSLNEGOTIATION",
        "PGSSLROOTCERT",
        "PGSSLSNI",
    }
)
"""TLS has no settings of ours: for a configured Postgres, libpq's own variables apply."""


def session_options(**others: Any) -> str:
    """libpq's `options` for our sessions; `others` override settings for this one."""
    return " ".join(f"-c {name}={_escaped(str(value))}" for name, value in {**SETTINGS, **others}.items())


def forget_libpq_variables(settings: Settings) -> None:
    """Remove variables from this process's environment that would reach libpq past our settings.

    Some cannot be overridden by a connection's own parameters: an invalid PGSERVICE, PGDATESTYLE, PGTZ.
    """
    forget_variables(_OF_LIBPQ | _OF_ITS_PROTECTION if settings.is_embedded else _OF_LIBPQ)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
