# One image for every role: `docker run IMAGE serve`, `worker`, or what compose.yaml and deploy/kubernetes say.
FROM python:3.12-slim-bookworm AS build
WORKDIR /build
COPY pyproject.toml constraints.txt LICENSE README.md ./
COPY openfaith_pipeline ./openfaith_pipeline
RUN python -m venv /opt/openfaith \
    && /opt/openfaith/bin/pip install --no-cache-dir -c constraints.txt '.[apprise,celery]'

FROM python:3.12-slim-bookworm
RUN useradd --create-home --uid 10001 openfaith \
    && install --directory --owner openfaith --group openfaith /var/lib/openfaith
COPY --from=build /opt/openfaith /opt/openfaith
ENV PATH=/opt/openfaith/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GRPC_ENABLE_FORK_SUPPORT=0 \
    OPENFAITH_HOME=/var/lib/openfaith \
    DAGSTER_HOME=/var/lib/openfaith/dagster
USER openfaith
WORKDIR /var/lib/openfaith
# In front of every role: writes Dagster's configuration where DAGSTER_HOME is, from the settings.
ENTRYPOINT ["openfaith-pipeline"]
CMD ["--help"]
