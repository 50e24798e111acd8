"""The HTTP door for operators: readiness, metrics, queues."""
