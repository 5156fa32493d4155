"""Diagnoses: everything looked at, the verb that mends each finding, and the repair of OpenFaith's tables.

Belongs here: which states are wrong, their severity and remedy, and the order of a repair. Does not: the SQL by which
other rooms know their own state, comparison with the source (`audit`), printing.
"""
