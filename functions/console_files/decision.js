// Who may answer a token's page, each by a link of their own, and what they have answered.
import { el, said } from "./dom.js";
import { badge, fact, facts, json, moment, note, secret, section, time } from "./parts.js";
import { visible } from "./text.js";

const everybody = (token) => [...token.approvers, ...(token.escalation?.to ?? []), ...unnamed(token)];

// Who has answered a page that names no one, but the domains of whose people sign in.
const unnamed = (token) =>
  token.page?.signIn?.domains ? token.answers.map(({ approver, signedIn }) => ({ id: approver, name: signedIn?.email })) : [];

// Nothing if a link says who answers.
const onlySignedIn = ({ page }) =>
  page?.signIn && ["Required", page.signIn.domains && [", with an account of ", said(page.signIn.domains.join(", "))]];

export const isRemoved = (token, id) => (token.handOvers ?? []).some((it) => it.removed.includes(id));

export const nameOf = (token, id) => everybody(token).find((it) => it.id === id)?.name ?? id;

export const decision = (token, say) =>
  token.approvers &&
  section(
    "decision",
    "Who decides",
    facts(
      fact("Sign-in", onlySignedIn(token)),
      fact("Answers so far", standing(token)),
      fact("Requested by", token.requestedBy && said(token.requestedBy)),
    ),
    el(
      "ul",
      { class: "people" },
      everybody(token).map((it) => person(token, it, say)),
    ),
    ownLinks(token) && note("Anyone who has a person's link answers as that person. Send it to no one else."),
  );

// absent: the token has ended, the key lacks the scope `complete`, or people sign in
const ownLinks = (token) => (token.status === "WAITING" && !token.page?.signIn ? token.links : null);

// "approve: 1 of 2, reject: 0 of 1"
const standing = (token) =>
  Object.entries(token.needs)
    .map(([action, needs]) => `${action}: ${token.answers.filter((it) => it.action === action).length} of ${needs}`)
    .join(", ");

const person = (token, { id, name, email, slack }, say) => {
  const reached = [...new Set([id, email, slack])].filter((it) => it && it !== (name ?? id));
  const url = ownLinks(token)?.find((it) => it.approver === id)?.url;
  return el(
    "li",
    {},
    el("p", { class: "what" }, said(name ?? id), " ", whether(token, id)),
    reached.length > 0 && note(said(reached.join(", "))),
    url && secret(url, `the link of ${visible(name ?? id)}`, say),
  );
};

const whether = (token, id) => {
  const answer = token.answers.find((it) => it.approver === id);
  if (answer) return [badge("plain", answer.action), el("span", { class: "hint" }, " ", time(answer.at))];
  const isLater = !token.escalation?.askedAt && token.escalation?.to.some((it) => it.id === id);
  if (token.status !== "WAITING") return badge("plain", isLater ? "Was not asked" : "Did not answer");
  if (!isLater) return badge("waiting", "Not answered yet");
  return [badge("plain", "Not asked yet"), el("span", { class: "hint" }, " until ", moment(token.escalation.at))];
};

// What was filled in with an answer, or nothing.
export const filledIn = (answer, say) =>
  Object.keys(answer.fields).length ? json(JSON.stringify(answer.fields), "Fields", say) : null;
