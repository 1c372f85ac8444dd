"""Embeddings and inference by the Gemini API."""
