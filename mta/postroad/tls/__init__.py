"""TLS as a server: a port's certificate, and the records of one connection."""
