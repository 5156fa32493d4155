#!/bin/sh
# In front of everything that the image runs: its verbs (`serve`, `worker`, `dagster daemon`, `db upgrade`, ...), and the
# programs that Dagster's chart and its run pods name (`dagster api ...`, `dagster-daemon run`, `/bin/bash -c ...`).
set -eu

# With a read-only root, temporary files go to the one place that can be written.
if ! [ -w "${TMPDIR:-/tmp}" ]; then
    TMPDIR=$OPENFAITH_HOME/tmp
    mkdir -p "$TMPDIR"
    export TMPDIR
fi
# What HEALTHCHECK looks at. Every container has a /dev/shm of its own.
echo "$*" 2>/dev/null >/dev/shm/openfaith-role || true

case "${1-}" in
dagster)
    case "${2-} ${3-}" in
    "code-server start") exec "$@" ;; # Dagster's own command of that name
    "code-server "* | "webserver "* | "daemon "*) exec openfaith-pipeline "$@" ;;
    *) exec "$@" ;;
    esac
    ;;
dagster-* | */* | sh | bash | python | python3) exec "$@" ;;
*) exec openfaith-pipeline "$@" ;;
esac
