"""Network load balancers: one HAProxy for each zone that a balancer has a subnet in."""
