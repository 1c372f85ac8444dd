"""The log of administrative and destructive acts, which is only ever added to."""
