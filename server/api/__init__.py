"""The doors of the service: gRPC, HTTP, MCP and the web page."""
