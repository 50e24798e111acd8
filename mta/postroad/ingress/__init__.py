"""Where messages come in: listeners, sessions, reception."""
