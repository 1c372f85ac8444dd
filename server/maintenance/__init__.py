"""Whether the store can be worked on, and what operators do to it as a whole."""
