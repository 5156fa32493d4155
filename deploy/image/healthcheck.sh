#!/bin/sh
# HEALTHCHECK of the image: asks what the container runs whether it works. What ends by itself needs no check.
set -eu
read -r role < /dev/shm/openfaith-role || exit 0
port=$(printf '%s\n' "$role" | sed -n 's/.*--port[= ]\([0-9][0-9]*\).*/\1/p')
case "$role" in
serve*) exec openfaith-pipeline health service --port "${port:-3020}" ;;
"dagster webserver"*) exec openfaith-pipeline health webserver --port "${port:-3000}" ;;
"dagster code-server start"*) exit 0 ;;
"dagster code-server"*) exec openfaith-pipeline health code-server ;;
"dagster daemon"*) exec openfaith-pipeline health daemon ;;
worker*) exec openfaith-pipeline health worker ;;
esac
