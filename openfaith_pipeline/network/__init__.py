"""Outgoing HTTP: the proxy to use and the certificates to trust.

The libraries below would read the environment themselves, and react to invalid values with a traceback that contains
them. So the relevant variables are read here, and refused by name, never by value.
"""
