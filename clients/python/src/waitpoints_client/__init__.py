"""A client for a Waitpoints stack: create tokens, complete them, and wait for what becomes of them."""

__version__ = "0.1.0"
