"""The reverse proxy that reads nginx.conf."""
