from hypothesis import settings

# A slow machine is no failure, and a failure must be the same one when it is looked into.
settings.register_profile("waitpoints", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("waitpoints")
