"""Traces, metrics and logs by OpenTelemetry: setting up a process (`process`), and spans for the engine (`spans`).

Here belongs all that knows OpenTelemetry's SDK and its exporters. Other rooms know `spans` and the metrics API alone.
Nothing personal is sent: neither statements nor queries nor the texts of exceptions.
"""
