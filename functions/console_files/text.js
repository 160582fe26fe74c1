// How values become texts.

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
];

// A duration in milliseconds, in its two largest units: "3 d 4 h", "1.2 s", "80 ms".
export const duration = (ms) => {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const first = UNITS.findIndex(([, size]) => ms >= size);
  const [name, size] = UNITS[first];
  const [smaller, its] = UNITS[first + 1] ?? ["", size];
  const [many, rest] = [Math.floor(ms / size), Math.floor((ms % size) / its)];
  return rest && many < 100 ? `${many} ${name} ${rest} ${smaller}` : `${many} ${name}`;
};

// An instant in the reader's time zone, which is named: "2026-11-25 17:00:33 UTC", and with milliseconds.
const TWO = "2-digit";
const DAY = { year: "numeric", month: TWO, day: TWO };
const CLOCK = { hour: TWO, minute: TWO, second: TWO, fractionalSecondDigits: 3, hourCycle: "h23", timeZoneName: "short" };
const IN_PARTS = new Intl.DateTimeFormat("en", { ...DAY, ...CLOCK });
const written = (instant, fraction) => {
  const it = Object.fromEntries(IN_PARTS.formatToParts(new Date(instant)).map(({ type, value }) => [type, value]));
  const milliseconds = fraction ? `.${it.fractionalSecond}` : "";
  return `${it.year}-${it.month}-${it.day} ${it.hour}:${it.minute}:${it.second}${milliseconds} ${it.timeZoneName}`;
};
export const when = (instant) => written(instant, false);
export const exactly = (instant) => written(instant, true);
export const ZONE = IN_PARTS.resolvedOptions().timeZone;

// "3 min ago", "in 2 h"
export const relative = (instant) => {
  const ms = Date.parse(instant) - Date.now();
  if (Math.abs(ms) < 1_000) return "now";
  const [, size] = UNITS.find(([, it]) => Math.abs(ms) >= it);
  const rounded = duration(Math.round(Math.abs(ms) / size) * size).replace(".0", "");
  return ms < 0 ? `${rounded} ago` : `in ${rounded}`;
};

// Characters that cannot be seen, or that change the direction of a text, are shown by their numbers: controls, all that
// Unicode lets a font ignore, and blanks that are not spaces. So are the marks on a letter after the fifth: they would cover
// other lines.
const INVISIBLE =
  /[\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2800\ufff9-\ufffb\u{1d159}]/u;
const PILED = /[\p{Mn}\p{Me}](?<=(?:[\p{Mn}\p{Me}][\p{Mc}\p{Cf}]*){6})/u;
// Not where they join: in an emoji, and after a letter of a script that needs joiners.
const EMOJI = /\u200d(?<=\p{Extended_Pictographic}[\ufe0f\p{Emoji_Modifier}]?.)(?=\p{Extended_Pictographic})/u;
const STYLE = /\ufe0f(?<=\p{Extended_Pictographic}.)/u;
const JOINING = ["Arab", "Beng", "Deva", "Gujr", "Guru", "Knda", "Mlym", "Orya", "Sinh", "Syrc", "Taml", "Telu"];
const LETTERS = new RegExp(`[\\u200c\\u200d](?<=[${JOINING.map((it) => `\\p{scx=${it}}`).join("")}].)`, "u");
const KEPT = [EMOJI, STYLE, LETTERS].map((it) => it.source).join("|");
const SHOWN = new RegExp(`(${KEPT})|${INVISIBLE.source}|${PILED.source}`, "gu");
const number = (character) => {
  const hex = character.codePointAt(0).toString(16);
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, "0")}`;
};
export const visible = (text) => text.replace(SHOWN, (character, kept) => kept ?? number(character));

// JSON text with line breaks and indents. Its numbers, and keys that are repeated, stay as they were written, which JSON.parse
// would change.
const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g;
const DEEPEST = 40; // indents
export const pretty = (json) => {
  const parts = [];
  let depth = 0;
  let last = "";
  const line = () => `\n${"  ".repeat(Math.min(depth, DEEPEST))}`;
  for (const [token] of json.matchAll(TOKEN)) {
    if (token === "}" || token === "]") {
      depth -= 1;
      if (last !== "{" && last !== "[") parts.push(line());
    } else if (last === "{" || last === "[" || last === ",") parts.push(line());
    parts.push(token === ":" ? ": " : token);
    if (token === "{" || token === "[") depth += 1;
    last = token;
  }
  return parts.join("");
};

// The name of an execution, from its ARN.
export const nameOf = (arn) => arn.split("/durable-execution/").pop().split(":").pop() || arn;

const SITES = { "aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com" };

// The address of an execution in the AWS console, or null if the ARN is not one of an execution.
export const consoleAddress = (arn) => {
  const [, partition, , region] = /^arn:(aws[a-z-]*):(states):([a-z0-9-]+):\d{12}:execution:/.exec(arn) ?? [];
  if (!region) return null;
  const host = SITES[partition] ?? `${region}.console.aws.amazon.com`;
  return `https://${host}/states/home?region=${region}#/v2/executions/details/${encodeURIComponent(arn)}`;
};
