#!/bin/sh
# HEALTHCHECK of the image: asks what the container runs whether it works. What ends by itself needs no check.
set -eu
read -r role < /dev/shm/openfaith-role || exit 0
port_of() { printf '%s\n' "$role" | sed -n "s/.*$1[= ]\([0-9][0-9]*\).*/\1/p"; }
port=$(port_of --port)
code_port=$(port_of --code-server-port)
case "$role" in
serve*) exec openfaith-pipeline health service --port "${port:-3020}" ;;
"dagster webserver"*) exec openfaith-pipeline health webserver --port "${port:-3000}" ;;
"dagster code-server start"*) exit 0 ;;
"dagster code-server"*) exec openfaith-pipeline health code-server --port "${code_port:-4000}" ;;
"dagster daemon"*) exec openfaith-pipeline health daemon ;;
worker*) exec openfaith-pipeline health worker ;;
esac
