"""The gRPC server: it converts, validates and maps errors, and adds no rule of its own."""
