"""The AWS API of the region: moto's backends, exact where Postroad relies on them, saved to disk before an answer
is given.
"""
