"""An org's way into its source: credentials, tokens, OAuth, the shared rate budget and the client.

Belongs here: everything that is kept or negotiated to read an org's source. Does not: which streams there are, or how
they are read.
"""
