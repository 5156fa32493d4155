#!/bin/bash
# Run once by the image of Postgres, when its volume is new: the owner of the data is no superuser.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres --set password="$DB_PASSWORD" <<'SQL'
CREATE ROLE openfaith LOGIN NOSUPERUSER CREATEROLE PASSWORD :'password';
CREATE DATABASE openfaith OWNER openfaith ENCODING 'UTF8' TEMPLATE template0;
SQL
