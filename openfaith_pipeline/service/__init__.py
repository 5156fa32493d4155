"""The HTTP service: requests are in Postgres before they are answered, and it needs nothing else to answer."""
