"""The browser app: the same Campaign behind plain forms, on this computer alone by default."""
