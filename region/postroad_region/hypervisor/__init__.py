"""EC2 instances as systemd hosts under podman, with their volumes and metadata."""
