"""The HTTP service: what it is asked for is in Postgres before it answers, and it needs nothing else to answer."""
