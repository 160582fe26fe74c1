"""A model of the stack under load, with SimPy: what AWS's quotas do to bursts of callbacks and creates.

`quotas` are AWS's defaults and `stack` what template.yaml sets, `flows` are the calls of each function, which a test compares
with those that the code makes, and `senders` say what callers do after a refusal. `aws` models the services, `world` the
stack on them. `limits` computes which limit comes first at a steady rate, `scenarios` runs bursts.
"""
