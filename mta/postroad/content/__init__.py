"""What is added to or made of a message: trace headers, DKIM, DSN."""
