// Who is told of a token's page, and what became of it.
import { isRemoved, nameOf } from "./decision.js";
import { el, said } from "./dom.js";
import { badge, note, section, time } from "./parts.js";

export const told = (token) =>
  token.notify &&
  section(
    "told",
    "Notifications",
    token.notices.length
      ? el(
          "ul",
          { class: "people" },
          token.notices.map((it) => notice(token, it)),
        )
      : note(token.status === "WAITING" ? "None yet: this takes a few seconds." : "None."),
  );

const HOW = { email: "By e-mail to ", slack: "In Slack: ", teams: "In Teams, with the secret " };

const notice = (token, it) => {
  const isRefused = it.status === "refused";
  return el(
    "li",
    {},
    el(
      "p",
      { class: "what" },
      said(it.approver ? nameOf(token, it.approver) : it.to),
      " ",
      isRefused ? badge("bad", "Refused") : badge("plain", "Sent"),
      isRemoved(token, it.approver) && [" ", badge("plain", "Removed")],
      el("span", { class: "hint" }, " ", time(it.at)),
    ),
    note(HOW[it.channel] ?? `By ${it.channel}: `, said(it.to), it.outcome && ", with the outcome"),
    isRefused && note("The channel says: ", said(it.reason)),
    isRefused && note("Once that is fixed, send it again with ", el("code", {}, "waitpoints redrive")),
  );
};
