"""The region in a box: one machine that behaves like the parts of AWS that Postroad uses."""
