"""A Waitpoints stack in memory, for your own tests: `FakeWaitpoints` is a transport of httpx.

fake = FakeWaitpoints()
with fake.client() as waitpoints:
    token = waitpoints.create(timeout="1h")
    fake.deliver(token.url, {"approved": True})
    assert waitpoints.get(token).output == {"approved": True}
"""

from waitpoints_client.testing.fake import FakeWaitpoints

__all__ = ["FakeWaitpoints"]
