// An OpenID Connect issuer that others maintain: npm's oidc-provider, on loopback. Anyone signs in as whom they like.
// The signal SIGUSR2 closes its port, and opens it again.
// node issuer.mjs PORT REDIRECT_URI CLIENT SECRET METHOD
import Provider from "oidc-provider";

const [port, redirectUri, client, secret, method] = process.argv.slice(2);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: client,
      ...(method === "none" ? {} : { client_secret: secret }),
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: method,
    },
  ],
  claims: { openid: ["sub"], email: ["email", "email_verified"] },
  conformIdTokenClaims: false, // with an access token, it has the claims of the scopes only this way
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: id, email_verified: !id.startsWith("unverified") }),
  }),
  cookies: { keys: ["of-no-value"] },
  features: { devInteractions: { enabled: true } },
  pkce: { required: () => true },
});
const listen = () => provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
let server = listen();
setInterval(() => {}, 60_000); // without a port, the process would end
process.on("SIGUSR2", () => {
  if (!server.listening) return void (server = listen());
  server.close();
  server.closeAllConnections();
});
