"""The engine of the local stack: the exact versions that it needs, and the stack of this version in the folder `content`.

Its modules are in `waitpoints_local`, which finds this package here or in an environment of its own.
"""
