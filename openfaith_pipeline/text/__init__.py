"""Text from outside: JSON read without losing a digit, URLs brought to one form, and what a terminal may be given.

Strings in, strings out: nothing here knows a setting, a connection or a record.
"""
