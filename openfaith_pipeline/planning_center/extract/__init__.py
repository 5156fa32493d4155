"""How Planning Center is read: listings, windows, children of parents, single records, and around the parts that fail.

Belongs here: pages into records. Does not: HTTP (`client`), the plan of walks (`catalog`), storage.
"""
