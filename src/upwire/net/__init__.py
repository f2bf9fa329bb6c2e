"""What waits: connections, TLS, HTTP/1.1 and WebSocket over asyncio."""
