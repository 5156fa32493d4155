"""Errors that nobody foresaw, described for people."""

import logging

_log = logging.getLogger(__name__)


def describe_unforeseen(error: BaseException) -> str:
    """Kind and place of an error, which is logged too. Its text may quote records, and stays out."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_qualname}, line {trace.tb_lineno}" if trace else "an unknown place"
    _log.error("%s in %s", type(error).__name__, place)
    return f"{type(error).__name__} in {place}: a fault of the pipeline, please report it"
