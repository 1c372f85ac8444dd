"""Adding, searching, changing and reading memories, and their history."""
