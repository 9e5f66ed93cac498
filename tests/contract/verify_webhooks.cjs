// Verifies webhooks as a receiver in JavaScript does. Reads [{secret, headers, body}] as JSON from
// standard input, the body in base64; writes for each "verified", or why it is not.
// `v1` is left to the official library, whose folder is the argument. No official library knows
// `v1a` yet: that is Node's own cryptography, by the specification.
const { createPublicKey, verify } = require("node:crypto");
const { Webhook } = require(`${process.argv[2]}/node_modules/standardwebhooks`);

const SPKI = Buffer.from("302a300506032b6570032100", "hex"); // RFC 8410: an ed25519 key follows.

function verifyAsymmetric(shown, headers, body) {
  const raw = Buffer.from(shown.slice("whpk_".length), "base64");
  const key = createPublicKey({ key: Buffer.concat([SPKI, raw]), format: "der", type: "spki" });
  const start = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`;
  const content = Buffer.concat([Buffer.from(start), body]);
  const signatures = headers["webhook-signature"].split(" ").map((one) => one.split(","));
  const fits = signatures.some(
    ([version, text]) =>
      version === "v1a" && verify(null, content, key, Buffer.from(text, "base64")),
  );
  if (!fits) throw new Error("No matching signature found");
}

function verdict({ secret, headers, body }) {
  const bytes = Buffer.from(body, "base64");
  try {
    if (secret.startsWith("whpk_")) verifyAsymmetric(secret, headers, bytes);
    else new Webhook(secret).verify(bytes.toString("utf8"), headers);
    return "verified";
  } catch (error) {
    return error.message;
  }
}

const cases = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cases.map(verdict)));
