"""The web page, and the gateway by which it calls the service."""
