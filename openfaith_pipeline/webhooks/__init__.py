"""Events from the source: subscriptions, deliveries, and their application.

Belongs here: everything from a signed body to the published record. Does not: the HTTP endpoint itself (`service`).
"""
