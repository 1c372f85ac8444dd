"""The HTTP door: the paths of Mem0, and the contract as plain JSON."""
