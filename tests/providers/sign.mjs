// Sign deliveries as their providers do: read {provider, body, headers, secret} as a JSON list, write the headers of each.
// A library that only verifies must accept what was signed by its provider's documented rule.
import assert from "node:assert";
import { createHmac } from "node:crypto";
import { text } from "node:stream/consumers";

import { sign } from "@octokit/webhooks-methods";

const hmac = (secret, body, encoding) => createHmac("sha256", secret).update(body).digest(encoding);

const providers = {
  async github({ body, secret }) {
    return { "X-Hub-Signature-256": await sign(secret, body) };
  },

  async openai({ body, secret }) {
    const [{ OpenAI }, { Webhook }] = await Promise.all([import("openai"), import("standardwebhooks")]);
    const [id, now] = ["wh_685c059ae39c8190af8c71ed1022a24d", new Date()];
    const signed = {
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(now / 1000)),
      "webhook-signature": new Webhook(secret).sign(id, now, body),
    };
    await new OpenAI({ apiKey: "unused" }).webhooks.verifySignature(body, signed, secret);
    return signed;
  },

  async shopify({ body, headers, secret }) {
    await import("@shopify/shopify-api/adapters/node");
    const { ApiVersion, LogSeverity, shopifyApi } = await import("@shopify/shopify-api");
    const signed = { "X-Shopify-Hmac-Sha256": hmac(secret, body, "base64") };
    const { webhooks } = shopifyApi({
      apiKey: "unused",
      apiSecretKey: secret,
      apiVersion: ApiVersion.July25,
      hostName: "app.example.com",
      isEmbeddedApp: false,
      logger: { level: LogSeverity.Error },
    });
    const rawRequest = { method: "POST", url: "/", headers: { ...headers, ...signed } };
    assert.equal((await webhooks.validate({ rawBody: body, rawRequest, rawResponse: {} })).valid, true);
    return signed;
  },

  async linear({ body, secret }) {
    const { LinearWebhookClient } = await import("@linear/sdk/webhooks");
    const signature = hmac(secret, body, "hex");
    new LinearWebhookClient(secret).parseData(Buffer.from(body), signature, JSON.parse(body).webhookTimestamp);
    return { "Linear-Signature": signature };
  },
};

const deliveries = JSON.parse(await text(process.stdin));
process.stdout.write(JSON.stringify(await Promise.all(deliveries.map((delivery) => providers[delivery.provider](delivery)))));
