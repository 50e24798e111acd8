"""The table, one module per AWS service or part of it; each ends with `RESOURCES`."""
