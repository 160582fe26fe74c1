from importlib.metadata import version

import waitpoints_client


def test_says_which_version_is_installed() -> None:
    assert waitpoints_client.__version__ == version("waitpoints-client")
