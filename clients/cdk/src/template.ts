import { Token } from "aws-cdk-lib/core";

/** A part of a template. */
export type Part = string | number | boolean | null | Part[] | { [name: string]: Part };

/** A parameter of the template. */
export interface Parameter {
  readonly Type: "String" | "Number";
  readonly Default: string | number;
  readonly AllowedValues?: readonly (string | number)[];
  readonly AllowedPattern?: string;
  readonly ConstraintDescription?: string;
  readonly MinLength?: number;
  readonly MaxLength?: number;
  readonly MinValue?: number;
  readonly MaxValue?: number;
}

interface Assertion {
  readonly Assert: Part;
  readonly AssertDescription: string;
}

type Conditional = { readonly Condition?: string } & { readonly [name: string]: Part };

/** The release's template, in CloudFormation's words. */
export interface Template {
  readonly Parameters: Readonly<Record<string, Parameter>>;
  readonly Rules: Readonly<Record<string, { readonly RuleCondition?: Part; readonly Assertions: readonly Assertion[] }>>;
  readonly Conditions: Readonly<Record<string, Part>>;
  readonly Resources: Readonly<Record<string, Conditional>>;
  readonly Outputs: Readonly<Record<string, Conditional>>;
}

/** The value of each parameter, by its name. */
export type Values = Readonly<Record<string, string | number>>;

/**
 * A template of which is known what each condition says.
 *
 * CloudFormation decides a condition by parameters alone, but a value may be another resource's attribute. So conditions are
 * decided here: that attribute is not empty.
 */
export class Decided {
  constructor(
    private readonly template: Template,
    private readonly values: Values,
  ) {}

  /** What the template's rules refuse. */
  refusals(): string[] {
    return Object.values(this.template.Rules)
      .filter((rule) => rule.RuleCondition === undefined || this.holds(rule.RuleCondition))
      .flatMap((rule) => rule.Assertions.filter((it) => !this.holds(it.Assert)).map((it) => it.AssertDescription));
  }

  /** The template without conditions: what a stack with these values has. */
  parts(): Pick<Template, "Parameters" | "Resources" | "Outputs"> {
    const { Parameters, Resources, Outputs } = this.template;
    return { Parameters, Resources: this.made(Resources), Outputs: this.made(Outputs) };
  }

  private made(section: Readonly<Record<string, Conditional>>): Record<string, Conditional> {
    const having = Object.entries(section).filter(([, it]) => it.Condition === undefined || this.holds({ Condition: it.Condition }));
    return Object.fromEntries(having.map(([name, { Condition: _, ...rest }]) => [name, this.reduced(rest) as Conditional]));
  }

  /** A part with the branch of each `Fn::If`. Undefined for `AWS::NoValue`, which is left out. */
  private reduced(part: Part): Part | undefined {
    if (Array.isArray(part)) {
      return part.map((it) => this.reduced(it)).filter((it) => it !== undefined);
    }
    if (part === null || typeof part !== "object") {
      return part;
    }
    if (part["Ref"] === "AWS::NoValue") {
      return undefined;
    }
    if (Array.isArray(part["Fn::If"])) {
      const [condition, then, otherwise] = part["Fn::If"] as [string, Part, Part];
      return this.reduced(this.holds({ Condition: condition }) ? then : otherwise);
    }
    const members = Object.entries(part).map(([name, it]) => [name, this.reduced(it)] as const);
    return Object.fromEntries(members.filter(([, it]) => it !== undefined)) as Part;
  }

  private holds(condition: Part): boolean {
    const [[name, argument]] = Object.entries(condition as object) as [[string, Part]];
    switch (name) {
      case "Condition":
        return this.holds(this.template.Conditions[argument as string]!);
      case "Fn::Not":
        return !this.holds((argument as Part[])[0]!);
      case "Fn::And":
        return (argument as Part[]).every((it) => this.holds(it));
      case "Fn::Or":
        return (argument as Part[]).some((it) => this.holds(it));
      case "Fn::Equals":
        return this.equal(...(argument as [Part, Part]));
      default:
        throw new Error(`${name} in a condition`);
    }
  }

  private equal(left: Part, right: Part): boolean {
    const [one, other] = [this.value(left), this.value(right)];
    return !Token.isUnresolved(one) && !Token.isUnresolved(other) && String(one) === String(other);
  }

  private value(operand: Part): Part {
    return operand !== null && typeof operand === "object" && "Ref" in operand ? this.values[operand["Ref"] as string]! : operand;
  }
}
