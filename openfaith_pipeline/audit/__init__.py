"""Proof that the tables equal the source: counts, ids and contents, canonical rows against raw ones, and the journal.

Belongs here: a verification's choice of requests, its comparisons and its report. Does not: paging (the source's room),
staging and its encodings (`load`), the wanted canonical rows (`transform`). Nothing here writes but its own report:
comparisons that need staged rows are made in transactions that are rolled back.
"""
