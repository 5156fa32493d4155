"""What Postgres refuses of a stream's rows, told without the values."""

import psycopg

REFUSED_BY_POSTGRES = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.ProgrammingError,
    psycopg.errors.ProgramLimitExceeded,
)
"""One stream's trouble, not the church's: the others go on."""


def refusal_in_words(error: psycopg.Error) -> str:
    """Why Postgres refused rows. Its message would quote the value, which is personal data; this says enough."""
    reason = f"Postgres refused its rows: {type(error).__name__} {error.sqlstate} {error.diag.column_name or ''}"
    return reason.strip()
