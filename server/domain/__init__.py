"""What memories are and which decisions are made about them. Standard library only, no I/O."""
