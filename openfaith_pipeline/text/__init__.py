"""Text from outside: JSON read without losing a digit, URLs brought to one form, and strings made fit for a terminal.

Belongs here: strings in, strings out. Does not: anything that knows a setting, a connection or a record.
"""
