"""Components, settings, capacity model and policies of Postroad's stacks."""
