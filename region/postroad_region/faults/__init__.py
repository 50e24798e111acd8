"""What can be broken on purpose: zones, links between them, hosts, disks; and what a host's network may carry."""
