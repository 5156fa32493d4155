"""Text from outside: JSON read without losing a digit, URLs brought to one form, and strings made fit for a terminal.

Strings in, strings out: nothing here knows a setting, a connection or a record.
"""
