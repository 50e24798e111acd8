"""When a delivery is due, and what becomes of it."""
