"""The version of the package."""

__version__ = "0.4.1"
USER_AGENT = f"waitpoints-client/{__version__}"
