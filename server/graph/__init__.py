"""Who relates to what, as memories say it."""
