"""Export and import of whole projects."""
