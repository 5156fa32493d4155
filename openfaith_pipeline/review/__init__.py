"""What waits for a person's decision: held deletions, guards that hold them, quarantine.

Belongs here: listing and deciding. Does not: publishing what was decided, which `sync` does.
"""
