"""What happened to memories."""
