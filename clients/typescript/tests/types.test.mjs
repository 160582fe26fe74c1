import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const FOLDER = new URL("wrong/", import.meta.url);

test("tsc names the wrong member of each wrong program, and no other", () => {
  const file = fileURLToPath(new URL("programs.ts", FOLDER));
  const lines = readFileSync(file, "utf8").split("\n");
  const expected = lines.flatMap((line, at) => (line.includes("// error: ") ? [[at + 2, line.split("// error: ")[1]]] : []));
  const { config } = ts.readConfigFile(fileURLToPath(new URL("tsconfig.json", FOLDER)), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, fileURLToPath(FOLDER));
  const found = ts.getPreEmitDiagnostics(ts.createProgram([file], options)).map(({ file: source, start, messageText }) => [
    source.getLineAndCharacterOfPosition(start).line + 1,
    ts.flattenDiagnosticMessageText(messageText, "\n"),
  ]);
  assert.ok(expected.length > 20);
  assert.deepEqual(found.map(([line]) => line), expected.map(([line]) => line), JSON.stringify(found));
  for (const [at, [line, named]] of expected.entries()) assert.ok(found[at][1].includes(named), `line ${line}: ${found[at][1]}`);
});
