"""Configuration files as typed models; a wrong one is reported whole."""
