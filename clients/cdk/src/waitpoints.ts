import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Duration, Stack, Token, type CfnResource } from "aws-cdk-lib/core";
import { CfnInclude } from "aws-cdk-lib/cloudformation-include";
import type { Grant, IGrantable } from "aws-cdk-lib/aws-iam";
import { CfnFunction, CfnLayerVersion, Function, type IFunction } from "aws-cdk-lib/aws-lambda";
import { Asset } from "aws-cdk-lib/aws-s3-assets";
import { Secret, type ISecret } from "aws-cdk-lib/aws-secretsmanager";
import { CfnStateMachine, JitterType, type RetryProps } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";

import type { WaitpointsOutputs, WaitpointsProps } from "./release";
import { Decided, type Template, type Values } from "./template";
import { mistakes, propertyOf, valuesOf } from "./values";

const RELEASE = join(__dirname, "..", "release");
const TEMPLATE = JSON.parse(readFileSync(released("template.json"), "utf8")) as Template;

export interface Waitpoints extends WaitpointsOutputs {}

/**
 * Waitpoints, as this package's version releases it, within a stack.
 *
 * The resources keep the ids of the release's template, so a stack has one Waitpoints, and `waitpoints --stack NAME` operates it.
 */
export class Waitpoints extends Construct {
  /** The function that a waiting state or durable function invokes, with `IntegrationPattern.WAIT_FOR_TASK_TOKEN`. */
  readonly waitFunction: IFunction;
  /** The function with which a state machine creates a token. */
  readonly createFunction: IFunction;
  /** The function with which a state machine completes or fails a token. */
  readonly completeFunction: IFunction;
  /** The API key, for programs that call the API. */
  readonly apiKey: ISecret;
  /** Every resource of the release, by its id: `getResource("Table")`. */
  readonly template: CfnInclude;

  constructor(scope: Construct, id: string, props: WaitpointsProps = {}) {
    super(scope, id);
    const values = valuesOf(TEMPLATE.Parameters, props);
    const decided = new Decided(TEMPLATE, values);
    this.refuse(this.isSecond() ? ["a stack can have only one, so make it in a stack of its own"] : []);
    this.refuse(mistakes(TEMPLATE.Parameters, props));
    this.refuse(decided.refusals());
    const { Parameters, Resources, Outputs } = decided.parts();
    this.template = included(this, { Parameters, Resources, Outputs }, values);
    for (const name of Object.keys(Resources)) {
      this.upload(this.template.getResource(name), String(values["Architecture"]));
    }
    for (const name of Object.keys(Outputs)) {
      Object.assign(this, { [propertyOf(name)]: Token.asString(this.template.getOutput(name).value) });
    }
    this.waitFunction = this.functionOf("WaitForToken");
    this.createFunction = this.functionOf("CreateTokenInState");
    this.completeFunction = this.functionOf("CompleteTokenInState");
    this.apiKey = Secret.fromSecretCompleteArn(this, "ApiKey", this.apiKeySecret);
  }

  /** How often a state tries again to wait, create or complete: `task.addRetry(Waitpoints.retry)`. */
  static get retry(): RetryProps {
    const machine = JSON.parse(readFileSync(released("wait_for_webhook.asl.json"), "utf8"));
    const { ErrorEquals, IntervalSeconds, BackoffRate, MaxAttempts, JitterStrategy } = machine.States[machine.StartAt].Retry[0];
    return {
      errors: ErrorEquals,
      interval: Duration.seconds(IntervalSeconds),
      backoffRate: BackoffRate,
      maxAttempts: MaxAttempts,
      jitterStrategy: JitterStrategy as JitterType,
    };
  }

  /** Let a role, or what has one, create tokens by `createFunction`. */
  grantCreate(grantee: IGrantable): Grant {
    return this.createFunction.grantInvoke(grantee);
  }

  /** Let a role, or what has one, wait for tokens by `waitFunction`. */
  grantWait(grantee: IGrantable): Grant {
    return this.waitFunction.grantInvoke(grantee);
  }

  /** Let a role, or what has one, complete and fail tokens by `completeFunction`. */
  grantComplete(grantee: IGrantable): Grant {
    return this.completeFunction.grantInvoke(grantee);
  }

  private isSecond(): boolean {
    const stack = Stack.of(this);
    return stack.node.findAll().some((it) => it instanceof Waitpoints && it !== this && Stack.of(it) === stack);
  }

  private refuse(reasons: readonly string[]): void {
    if (reasons.length) {
      throw new Error(`${this.node.path}: ${reasons.join(". ")}`);
    }
  }

  private functionOf(name: string): IFunction {
    const { attrArn } = this.template.getResource(name) as CfnFunction;
    return Function.fromFunctionAttributes(this, name, { functionArn: attrArn, sameEnvironment: true });
  }

  /** Let a resource have its file as an asset. The template has the file's name as a key. */
  private upload(resource: CfnResource, architecture: string): void {
    if (resource instanceof CfnFunction) {
      resource.code = inS3(this.asset((resource.code as CfnFunction.CodeProperty).s3Key!));
    } else if (resource instanceof CfnLayerVersion) {
      resource.content = inS3(this.asset(`${architecture}/${(resource.content as CfnLayerVersion.ContentProperty).s3Key}`));
    } else if (resource instanceof CfnStateMachine) {
      const { s3Bucket: bucket, s3Key: key } = inS3(this.asset((resource.definitionS3Location as CfnStateMachine.S3LocationProperty).key));
      resource.definitionS3Location = { bucket, key };
    }
  }

  private asset(file: string): Asset {
    const id = file.replace("/", "-");
    return (this.node.tryFindChild(id) as Asset | undefined) ?? new Asset(this, id, { path: released(file) });
  }
}

/** The path of a file of the release, beside the modules. */
function released(file: string): string {
  const path = join(RELEASE, file);
  if (!existsSync(path)) {
    throw new Error(`${path} is missing: install the package waitpoints-cdk that a release has, and do not bundle it`);
  }
  return path;
}

/** Include a template, which CfnInclude reads from a file alone. */
function included(scope: Construct, template: object, parameters: Values): CfnInclude {
  const folder = mkdtempSync(join(tmpdir(), "waitpoints-"));
  try {
    const templateFile = join(folder, "template.json");
    writeFileSync(templateFile, JSON.stringify(template));
    return new CfnInclude(scope, "Template", { templateFile, parameters });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function inS3(asset: Asset): { s3Bucket: string; s3Key: string } {
  return { s3Bucket: asset.s3BucketName, s3Key: asset.s3ObjectKey };
}
