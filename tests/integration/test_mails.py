"""Mails through boto3 into moto's SES, which keeps them as they were sent."""

import boto3
import pytest
from moto import mock_aws
from moto.ses.models import ses_backends

from tests.support import mails
from waitpoints.api.notices.mail import MailChannel
from waitpoints.api.page import words
from waitpoints.errors import NotSent


@pytest.fixture
def sender() -> MailChannel:
    client = boto3.client("sesv2", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    return MailChannel(lambda: client, mails.FROM, mails.BRAND)


@pytest.mark.parametrize("language", words.WORDS)
def test_ses_gets_the_mail_as_it_was_written(sender: MailChannel, language: str) -> None:
    with mock_aws():
        ses_backends["123456789012"]["us-east-1"].verify_email_address(mails.FROM)
        ref = sender.send(mails.notice(language=language))
        kept = ses_backends["123456789012"]["us-east-1"].sent_messages[-1]  # of those of this process's tests
    assert ref == kept.id
    message, expected = mails.parsed(kept.raw_data.encode()), mails.mail(mails.notice(language=language))
    assert message.items()[:-1] == expected.items()[:-1]  # but for the boundary
    assert [mails.body(message, kind) for kind in ("plain", "html")] == [
        mails.body(expected, kind) for kind in ("plain", "html")
    ]


def test_a_sender_who_is_not_verified_is_refused() -> None:
    client = boto3.client("sesv2", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    sender = MailChannel(lambda: client, "nobody@unverified.example", mails.BRAND)
    with (
        mock_aws(),
        pytest.raises(NotSent, match="MessageRejected: SES does not accept the content"),
    ):  # moto's words are not SES's
        sender.send(mails.notice())
