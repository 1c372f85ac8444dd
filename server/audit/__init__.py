"""The append-only log of administrative and destructive acts."""
