import type { Page } from "./types.js";

/** The page of a tool's call: see `approvalPage`. */
export interface ApprovalPage<Action extends string = string> {
  readonly tool: string;
  readonly arguments: unknown;
  readonly page: Page<Action>;
}

const LONGEST = 9_000; // characters of arguments: a page has 10,000
const SHOWN_IN_SLACK = 2_900; // characters: Slack shows a part of a longer text
const BLANKS = /[\p{Zs}\u2800]{41,}/gu; // these push what follows out of sight
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?<=\p{M}{5})\p{M}|(?! )\p{Zs}/gu;

/** Make the page that asks whether a tool may run with these arguments: the same call makes the same page.
 *
 * People see the arguments as JSON, in which a character that is not seen is written as in `\u202e`. Set the title yourself,
 * since a model wrote the rest. The answer can have a `message` for the model. Throws RangeError for arguments that are too
 * long to be read, TypeError for what is no JSON.
 */
export function approvalPage(
  tool: string,
  args: unknown,
  { title, text }: { readonly title?: string; readonly text?: string } = {},
): ApprovalPage<"approve" | "reject"> {
  const shown = visible(json(args));
  if (shown.length > LONGEST) {
    throw new RangeError(`The arguments are too long to be shown: ${shown.length} characters, of at most ${LONGEST}`);
  }
  const whole = [text, ...(title ? [`Tool: ${visible(tool)}`] : []), shown].filter(Boolean).join("\n\n");
  const message = { type: "string", format: "textarea", title: "Message to the agent", maxLength: 1_000 } as const;
  const seen = { type: "boolean", const: true, title: "I have read all of the above" } as const;
  const isLong = whole.length > SHOWN_IN_SLACK;
  return {
    tool,
    arguments: args,
    page: {
      title: title ?? `Run ${visible(tool).slice(0, 150)}?`,
      text: whole,
      actions: [
        { id: "approve", label: "Approve", style: "primary" },
        { id: "reject", label: "Reject", style: "danger", needsFields: false },
      ],
      fields: {
        type: "object",
        properties: isLong ? { seen, message } : { message },
        required: isLong ? ["seen"] : [],
      },
    },
  };
}

function json(value: unknown): string {
  const text = JSON.stringify(value, undefined, 2) as string | undefined;
  if (text === undefined) throw new TypeError("The arguments are no JSON");
  return text;
}

function visible(text: string): string {
  const seen = text.replace(BLANKS, (blanks) => Array.from(blanks, escaped).join(""));
  return seen.replace(UNSEEN, (character) => (character === "\n" ? character : escaped(character)));
}

function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`).join("");
}
