"""Declarations of streams and the properties derived from them; walks and pages. Standard library only."""
