"""dlt's rest_api source on the ten streams; run by `benchmarks.throughput` with the Python of `.venv-bench`.

    python dlt_rest_api.py '{"url": ..., "app_id": ..., "secret": ..., "postgres": ...}'

As its documentation shows it: one resource for each listing, the children of groups by `resolve`, pages by the links of
the answers, and its default `append`. Prints JSON.
"""

import json
import resource
import sys
import tempfile
import time
from typing import Any

import dlt
from dlt.sources.rest_api import rest_api_source

LISTINGS = {
    "people": "/people/v2/people?include=marital_status,name_prefix,name_suffix,inactive_reason,school",
    "emails": "/people/v2/emails",
    "phone_numbers": "/people/v2/phone_numbers",
    "addresses": "/people/v2/addresses",
    "field_definitions": "/people/v2/field_definitions",
    "field_data": "/people/v2/field_data?include=field_option",
    "households": "/people/v2/households",
    "groups": "/groups/v2/groups",
    "donations": "/giving/v2/donations",
}


def main() -> None:
    asked = json.loads(sys.argv[1])
    resources: list[dict[str, Any]] = [_listing(name, path) for name, path in LISTINGS.items()]
    resources.append(_listing("memberships", "/groups/v2/groups/{resources.groups.id}/memberships"))
    source = rest_api_source(
        {
            "client": {
                "base_url": asked["url"],
                "auth": {"type": "http_basic", "username": asked["app_id"], "password": asked["secret"]},
                "headers": {"User-Agent": "benchmark"},
                "paginator": {"type": "json_link", "next_url_path": "links.next"},
            },
            "resources": resources,
        },
        max_table_nesting=0,
    )
    with tempfile.TemporaryDirectory() as directory:
        pipeline = dlt.pipeline(
            "bench",
            pipelines_dir=directory,
            dataset_name="dlt_pco",
            destination=dlt.destinations.postgres(asked["postgres"]),
        )
        started, before = time.perf_counter(), _cpu_seconds()
        pipeline.run(source)
        seconds, cpu = time.perf_counter() - started, _cpu_seconds() - before
        counts = pipeline.last_trace.last_normalize_info.row_counts
    figures = {
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu, 2),
        "records": sum(count for name, count in counts.items() if not name.startswith("_dlt")),
        "peak_megabytes": round(_peak_memory() / 1e6),
        "version": dlt.__version__,
    }
    sys.stdout.write(json.dumps(figures))


def _listing(name: str, path: str) -> dict[str, Any]:
    path, _, query = path.partition("?")
    params = {"per_page": 100, **dict(pair.split("=", 1) for pair in query.split("&") if pair)}
    return {
        "name": name,
        "primary_key": "id",
        "endpoint": {"path": path, "params": params, "data_selector": "data"},
    }


def _cpu_seconds() -> float:
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def _peak_memory() -> int:
    with open("/proc/self/status") as status:  # noqa: PTH123
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
