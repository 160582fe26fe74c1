"""The JSON of docs/patterns.md."""
PAYMENTS = {"key": "body.data.object.client_reference_id", "completeWhen": "body.data.object.payment_status == 'paid' || contains(['checkout.session.expired', 'checkout.session.async_payment_failed'], body.type)", "verify": {"scheme": "stripe", "secret": "STRIPE"}, "output": "body.data.object"}
