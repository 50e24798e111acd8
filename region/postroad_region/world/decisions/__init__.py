"""What providers decide, as pure functions of what they know: each has a table of tests."""
