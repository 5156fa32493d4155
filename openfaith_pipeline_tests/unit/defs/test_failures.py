"""The error that ends an op is stored for callers that wait for it, without anybody's data."""

from types import SimpleNamespace
from typing import Any

import pytest

from openfaith_pipeline.defs.failed import Failed
from openfaith_pipeline.defs.op_errors import acted_on
from openfaith_pipeline.defs.run_handle import CALLER, Caller
from openfaith_pipeline.errors import TransientError


@pytest.mark.parametrize(
    ("error", "kept"),
    [(KeyError("ada@example.org"), "KeyError in "), (TransientError("no answer"), "no answer")],
)
def test_whatever_ends_an_op_is_kept(error: Exception, kept: str) -> None:
    context: Any = SimpleNamespace(
        op_def=SimpleNamespace(name="pco_people", retry_policy=None),
        retry_number=0,
        run=SimpleNamespace(run_id="run", job_name="job", tags={}),
        instance=SimpleNamespace(get_run_by_id=lambda _: None),
    )
    caller = Caller()
    token = CALLER.set(caller)
    try:
        with pytest.raises((KeyError, Failed)), acted_on(context):
            raise error
    finally:
        CALLER.reset(token)

    assert kept in caller.errors["pco_people"]
    assert "ada@" not in caller.errors["pco_people"]
