"""The form of OpenFaith entities, folders, edges and fields, and how a source's records are mapped to them, as data.

Belongs here: the declarations' form, the value rules, the model they add up to, and its page of docs. Does not: SQL,
which `database` (tables, triggers) and `transform` (rows) derive from it, nor any source's own declarations, which
stand in its `mapping`. Standard library only.
"""
