"""Moving a spool to other MTAs: what is offered, who has it, and when the host may go."""
