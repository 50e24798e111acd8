"""The front door behind the Makefile: it calls the native commands in order and reports."""
