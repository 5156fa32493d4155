"""Items that wait for a person's decision: held deletions, the guards that hold them, quarantine.

Belongs here: listing and deciding. Does not: publishing the outcome, which `sync` does.
"""
