"""Traces, metrics and logs by OpenTelemetry: setting up a process (`process`), and spans for the engine (`spans`).

Belongs here: all that knows OpenTelemetry's SDK and its exporters.
Does not: a metric's or span's place, which is where the
work is. Nothing personal is sent: neither statements nor queries nor the texts of exceptions.
"""
