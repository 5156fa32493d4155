"""Declarations of streams and the properties derived from them; walks and pages; the forms that a source provides.

No database, and of HTTP only the types of `network`: nothing here is sent or stored.
"""
