"""Declarations of streams and the properties derived from them; walks and pages; the forms that a source provides.

Belongs here: facts that every source has in common. Does not: the facts of one source, a database, a request.
"""
