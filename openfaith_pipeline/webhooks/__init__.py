"""Events from the source: subscriptions, deliveries, and what becomes of each.

Belongs here: everything from a signed body to the published record. Does not: the HTTP endpoint itself (`service`).
"""
