"""The paths of the Mem0 platform, translated into calls of the contract."""
