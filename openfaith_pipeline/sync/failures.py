"""The failure of a walk: in words, and as the availability of its streams."""

from openfaith_pipeline.database.refusals import REFUSED_BY_POSTGRES, refusal_in_words
from openfaith_pipeline.errors import (
    ConnectionRejected,
    OpenFaithError,
    ProductNotGranted,
    SourceUnreachable,
    StreamForbidden,
    UnavailableError,
    describe_unforeseen,
)


def error_in_words(error: Exception) -> OpenFaithError:
    """An error with the reason, but without data of the records."""
    if isinstance(error, OpenFaithError):
        return error
    if isinstance(error, REFUSED_BY_POSTGRES):
        return OpenFaithError(refusal_in_words(error))
    return OpenFaithError(describe_unforeseen(error))


def availability_after(error: UnavailableError) -> str:
    if isinstance(error, ProductNotGranted):
        return "not_granted"
    return "forbidden" if isinstance(error, StreamForbidden) else "absent"


def first_of(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The most important failure of tasks that failed together."""
    found: list[BaseException] = []
    for failure in failures.exceptions:
        found.append(first_of(failure) if isinstance(failure, BaseExceptionGroup) else failure)
    return next((failure for failure in found if isinstance(failure, ConnectionRejected | SourceUnreachable)), found[0])
