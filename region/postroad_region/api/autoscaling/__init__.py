"""EC2 Auto Scaling as AWS does it: pure decisions, and a thin engine that acts by them on moto's groups.

Everything that a decision needs is in the saved state of the groups, so a daemon killed at any point goes on where it
was. https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
"""
