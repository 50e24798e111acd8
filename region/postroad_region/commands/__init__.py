"""The operator's subcommands that break, limit and mend the region: a file for each noun."""
