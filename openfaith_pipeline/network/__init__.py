"""Outgoing HTTP, for every source: proxies, certificates, credentials, retries and the rate budget.

Belongs here: common properties of requests. Does not: the form of a source's requests, or where credentials are stored.
The libraries below would read the environment themselves, and react to invalid values with a traceback that contains
them. So the relevant variables are read here, and refused by name, never by value.
"""
