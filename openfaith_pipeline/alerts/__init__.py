"""Incidents that people need to know about, and their delivery.

Belongs here: kinds of incidents, when one opens and closes, delivery and the channels. Does not: detecting a failure,
which happens where the failure does.
"""
