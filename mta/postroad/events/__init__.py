"""One log line for each thing that happens to a message."""
