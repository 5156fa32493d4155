"""Outgoing HTTP, for every source: proxies, certificates, credentials, retries and the rate budget.

The libraries below would read the environment themselves, and react to invalid values with a traceback that contains
them. So the relevant variables are read here, and refused by name, never by value.
"""
