# One image for every role: `docker run IMAGE serve`, `worker`, or as compose.yaml and deploy/kubernetes do it.
FROM python:3.12-slim-bookworm AS build
WORKDIR /build
COPY pyproject.toml constraints.txt LICENSE README.md ./
# First what it needs, by an empty package: that layer stays as long as the dependencies do.
RUN mkdir openfaith_pipeline && touch openfaith_pipeline/__init__.py \
    && python -m venv /opt/openfaith \
    && /opt/openfaith/bin/pip install --no-cache-dir -c constraints.txt '.[apprise,celery,kubernetes]'
COPY openfaith_pipeline ./openfaith_pipeline
RUN /opt/openfaith/bin/pip install --no-cache-dir --no-deps --force-reinstall .

FROM python:3.12-slim-bookworm
# Any user may write to the home, whichever a cluster or `--user` picks; files in it are its user's own.
RUN useradd --create-home --home-dir /var/lib/openfaith --uid 10001 --gid 0 openfaith \
    && install --directory --owner openfaith --group 0 --mode 1777 /var/lib/openfaith /var/lib/openfaith/dagster
COPY --from=build /opt/openfaith /opt/openfaith
COPY deploy/image/entrypoint.sh /usr/local/bin/openfaith-entrypoint
COPY deploy/image/healthcheck.sh /usr/local/bin/openfaith-healthcheck
ENV PATH=/opt/openfaith/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GRPC_ENABLE_FORK_SUPPORT=0 \
    HOME=/var/lib/openfaith \
    OPENFAITH_HOME=/var/lib/openfaith \
    OPENFAITH_LISTEN=0.0.0.0 \
    DAGSTER_HOME=/var/lib/openfaith/dagster
USER 10001
WORKDIR /var/lib/openfaith
EXPOSE 3000 3020 4000
HEALTHCHECK --interval=60s --timeout=30s --start-period=120s --retries=3 CMD ["openfaith-healthcheck"]
ENTRYPOINT ["openfaith-entrypoint"]
CMD ["--help"]
