"""The gRPC server: it converts, validates and maps errors, and contains no domain rules."""
