// What JSONata's reference implementation makes of expressions, and AWS's language service of definitions. The standard input
// has `{"expressions": [[expression, bindings], …], "definitions": [text, …]}`, the standard output an outcome for each.
//
// Step Functions has JSONata 2.0.6 (its guide, "Transforming data with JSONata"). Of the language service, what reads YAML and
// serves editors is not loaded, and package.json puts nothing of use in the place of what only that needs.
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import validation from "amazon-states-language-service/out/validation/validateStates.js";
import jsonata from "jsonata";
import json from "vscode-json-languageservice";

const schema = createRequire(import.meta.url)("amazon-states-language-service/out/json-schema/bundled.json");

const fail = (code, message) => {
  throw Object.assign(new Error(message), { code });
};
const asArray = (value) => (Array.isArray(value) ? value : fail("T0410", "no array"));
const asInteger = (value) => (typeof value === "number" ? Math.floor(value) : fail("T0410", "no number"));
const asText = (value) => (typeof value === "string" ? value : fail("T0410", "no text"));
const ALGORITHMS = { MD5: "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512" };

// "JSONata functions provided by Step Functions": docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
const FUNCTIONS = {
  partition(array, size) {
    const step = asInteger(size) < 1 ? fail("", "the size must be positive") : asInteger(size);
    return Array.from({ length: Math.ceil(asArray(array).length / step) }, (_, at) => array.slice(at * step, (at + 1) * step));
  },
  range(first, last, step) {
    const [from, to, by] = [first, last, step].map(asInteger);
    if (!by) fail("", "the step must not be zero");
    const made = Array.from({ length: Math.max(0, Math.floor((to - from) / by) + 1) }, (_, at) => from + at * by);
    return made.length === 1 ? made[0] : made;
  },
  hash: (text, name) => createHash(ALGORITHMS[name] ?? fail("", "unknown algorithm")).update(asText(text)).digest("hex"),
  random: (seed) => (seed === undefined ? Math.random() : Math.abs(Math.sin(seed))),
  uuid: randomUUID,
  parse: (text) => JSON.parse(asText(text)),
  eval: () => fail("T1006", "Attempted to invoke a non-function"),
};

const evaluate = async ([text, bindings]) => {
  try {
    const expression = jsonata(text);
    for (const [name, make] of Object.entries(FUNCTIONS)) expression.registerFunction(name, make);
    const value = await expression.evaluate(undefined, bindings);
    const isNumber = typeof value !== "number" || Number.isFinite(value);
    const isData = isNumber && JSON.stringify(value) !== undefined && !value?._jsonata_lambda;
    return isData ? { value } : { error: "" };
  } catch (error) {
    return { error: error.code ?? "" };
  }
};

const service = json.getLanguageService({});
service.configure({ validate: true, schemas: [{ uri: "asl", fileMatch: ["*"], schema }] });

const check = async (text) => {
  const document = json.TextDocument.create("file:///machine.asl.json", "json", 1, text);
  const parsed = service.parseJSONDocument(document);
  const isObject = parsed.root?.type === "object";
  const found = await service.doValidation(document, parsed);
  if (isObject) found.push(...validation.default(parsed.root, document, 0, {}));
  return [...new Set(found.map(({ message, range }) => `${document.getText(range).split("\n")[0].slice(0, 60)}: ${message}`))];
};

const { expressions, definitions } = JSON.parse(readFileSync(0, "utf8"));
const answer = { expressions: [], definitions: [] };
for (const expression of expressions) answer.expressions.push(await evaluate(expression));
for (const text of definitions) answer.definitions.push(await check(text));
process.stdout.write(JSON.stringify(answer));
