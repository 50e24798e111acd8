"""Several processes as one MTA: a supervisor, its workers, and what they share."""
