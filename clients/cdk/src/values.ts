import { Token } from "aws-cdk-lib/core";

import type { Parameter, Values } from "./template";

const LONGEST = 60;
const KINDS = {
  String: { name: "string", has: (value: unknown) => typeof value === "string" },
  Number: { name: "whole number", has: Number.isInteger },
};
const FRACTION = { name: "number", has: Number.isFinite };
/** The parameters that need not be whole. CloudFormation has one type for both. */
const FRACTIONS = ["SignInHours"].map(propertyOf);

interface Kind {
  readonly name: string;
  readonly has: (value: unknown) => boolean;
}
type Parameters = Readonly<Record<string, Parameter>>;

/** The name of the property, or attribute, for a name in the template: `domainName` for `DomainName`. */
export function propertyOf(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

/** The value of each parameter: that of its property, or its default. */
export function valuesOf(parameters: Parameters, props: object): Values {
  const given = new Map(Object.entries(props));
  return Object.fromEntries(
    Object.entries(parameters).map(([name, parameter]) => [name, given.get(propertyOf(name)) ?? parameter.Default]),
  );
}

/** What is wrong with the properties, each in one sentence. */
export function mistakes(parameters: Parameters, props: object): string[] {
  const known = new Map(Object.entries(parameters).map(([name, parameter]) => [propertyOf(name), parameter]));
  return Object.entries(props)
    .filter(([, value]) => value !== undefined)
    .flatMap(([property, value]) => {
      const parameter = known.get(property);
      const kind = FRACTIONS.includes(property) ? FRACTION : KINDS[parameter?.Type ?? "String"];
      const mistake = parameter ? mistakeOf(parameter, kind, value) : "is no property";
      return mistake === undefined ? [] : [`${property} ${mistake}`];
    });
}

function mistakeOf(parameter: Parameter, kind: Kind, value: unknown): string | undefined {
  const { AllowedValues: allowed } = parameter;
  if (Token.isUnresolved(value)) {
    return allowed && "must be known at synthesis, and not be an attribute of a resource";
  }
  if (allowed) {
    return allowed.includes(value as string | number) ? undefined : `is ${shown(value)}, but must be ${either(allowed)}`;
  }
  if (!kind.has(value)) {
    return `is ${shown(value)}, but must be a ${kind.name}`;
  }
  return fits(parameter, value as string | number) ? undefined : `is ${shown(value)}, but must be: ${range(parameter)}`;
}

function fits(parameter: Parameter, value: string | number): boolean {
  if (typeof value === "number") {
    return (parameter.MinValue ?? -Infinity) <= value && value <= (parameter.MaxValue ?? Infinity);
  }
  const { AllowedPattern: pattern = ".*", MinLength: shortest = 0, MaxLength: longest = Infinity } = parameter;
  return new RegExp(`^(?:${pattern})$`, "s").test(value) && shortest <= value.length && value.length <= longest;
}

function range(parameter: Parameter): string {
  const { ConstraintDescription: description, MinValue, MaxValue, MinLength, MaxLength } = parameter;
  const bounds = [
    [MinValue, "at least ", ""],
    [MaxValue, "at most ", ""],
    [MinLength, "at least ", " characters"],
    [MaxLength, "at most ", " characters"],
  ] as const;
  const texts = bounds.filter(([bound]) => bound !== undefined).map(([bound, before, after]) => `${before}${bound}${after}`);
  return [...(description ? [description] : []), ...texts].join("; ");
}

function shown(value: unknown): string {
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

function either(allowed: readonly (string | number)[]): string {
  return allowed.map((it) => JSON.stringify(it)).join(" or ");
}
