"""CloudWatch alarms evaluated on metrics, and what they set off; the metrics of queues and groups.

Data points are kept for three hours, where AWS keeps those of a minute for fifteen days.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""
