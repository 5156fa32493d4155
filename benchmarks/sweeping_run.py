"""The process that `benchmarks.fleet` measures: one run of `pco_sweep` on the instance, told as one line of JSON."""

import json
import resource
import sys
import time

from benchmarks.church import peak_memory
from openfaith_pipeline.database import open_database
from openfaith_pipeline.defs.instance import open_instance
from openfaith_pipeline.defs.location import definitions
from openfaith_pipeline.defs.run_handle import CALLER, Caller
from openfaith_pipeline.settings import load_settings


def main() -> None:
    started = time.monotonic()
    settings = load_settings()
    with open_database(settings) as database, open_instance(settings, database) as instance:
        CALLER.set(Caller(database))
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        job = definitions().resolve_job_def("pco_sweep")
        result = job.execute_in_process(instance=instance, run_config=quiet)
        [output] = [event for event in result.all_events if event.event_type_value == "STEP_OUTPUT"]
        metadata = {name: value.value for name, value in output.event_specific_data.metadata.items()}  # type: ignore[union-attr]
        events = len(result.all_events)
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        **metadata,
        "events": events,
        "seconds": round(time.monotonic() - started, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "megabytes": round(peak_memory() / 1e6),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
