"""The VPC fabric: interfaces, routes and security groups as one network namespace with one rule set."""
