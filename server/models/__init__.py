"""Embeddings and inference: ports, and one folder a provider."""
