"""Incidents that people are to hear of, and how they reach them.

Belongs here: what an incident is, when one begins and ends, delivery and its channels' interface. Does not: deciding
that something failed, which is where it fails.
"""
