"""Starting, being ready, and stopping without losing an accepted call."""
