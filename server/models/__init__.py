"""Embeddings and inference: ports, and a folder for each provider."""
