// One function of a service: its code, its role with nothing but what it is given, its log.
import { Duration } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, Runtime } from "aws-cdk-lib/aws-lambda";
import { NodejsFunction } from "aws-cdk-lib/aws-lambda-nodejs";
import type { Construct } from "constructs";
import { bundleOf, type FunctionName } from "./bundling.ts";
import { createLogGroup, type LogOptions } from "./logs.ts";

export interface FunctionOptions {
  readonly name: FunctionName;
  readonly description: string;
  /** Absolute path of the user's service file. */
  readonly servicePath: string;
  /** MB. */
  readonly memorySize: number;
  readonly timeout: Duration;
  readonly environment: Readonly<Record<string, string>>;
  /** How often an asynchronous invocation that failed is made again. @default 2, Lambda's */
  readonly retryAttempts?: number;
  readonly logs: LogOptions;
}

/** Just under the 29 s at which API Gateway stops waiting: the function's own end is what the log shows. */
export const REQUEST_TIMEOUT = Duration.seconds(28);

/** A poll that nothing happens to is answered before this; the HTTP API would wait a second more. */
export const POLL_TIMEOUT = Duration.seconds(29);

/** The sweeper goes on for at most 170 s. */
export const SWEEP_TIMEOUT = Duration.minutes(3);

/** Lambda's longest: event streams, and what workers run. */
export const LONGEST_TIMEOUT = Duration.minutes(15);

export function createFunction(scope: Construct, options: FunctionOptions): NodejsFunction {
  const { name, servicePath, logs, environment, ...rest } = options;
  const id = name.charAt(0).toUpperCase() + name.slice(1);
  const logGroup = createLogGroup(scope, `${id}Logs`, logs);
  // A role of our own, without the managed policy that may write to every log group of the account.
  const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
  logGroup.grantWrite(role);
  return new NodejsFunction(scope, id, {
    ...rest,
    ...bundleOf(name, servicePath),
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    environment: { ...environment, NODE_OPTIONS: "--enable-source-maps" },
    role,
    logGroup,
  });
}

/** Allows `actions` on exactly `resources`; no actions, no statement. */
export function allow(handler: NodejsFunction, actions: readonly string[], resources: readonly string[]): void {
  if (actions.length === 0) return;
  handler.addToRolePolicy(new PolicyStatement({ actions: [...actions], resources: [...resources] }));
}
