"""What a stream is, and what follows from a declaration. Standard library only."""
