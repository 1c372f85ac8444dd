"""The doors of the service: gRPC, and the web page that calls it."""
