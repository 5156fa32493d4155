"""Access of an org to its source: credentials, tokens, OAuth, the shared rate budget and the client.

Belongs here: everything stored or negotiated to read an org's source. Does not: streams and how they are read.
"""
