"""Records into raw tables: staged page by page, published stream by stream, each change with its entry in the journal.

Belongs here: SQL on raw tables, leases and the state of streams.
Does not: requests to a source, the proof of deletions
(`sync`), OpenFaith's tables (`transform`).
"""
