"""Out to other tools: tables, views and answers as files, and a dbt project that describes them.

Belongs here: which relations there are for people outside, the form of their values in each kind of file, the
directory they are written to. Does not: a person's or an org's data on request (`privacy`), and backups (`database`).
"""
