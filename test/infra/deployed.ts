// What a deployment of the construct would be, read the way AWS reads it.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, type AppProps, Stack, type StackProps } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { SignalRService, type SignalRServiceProps } from "../../infra/index.ts";

const SERVICE = `import { defineHub, defineService } from "signalr-lambda";
const chat = defineHub()({ methods: { shout: (_hub, text) => text.toUpperCase() } });
export default defineService({ hubs: { "hubs/of-the-test": chat } });
`;

/** Writes a service file to a folder of its own, outside every project, and returns its path. */
export function writeServiceFile(name = "realtime.ts", source = SERVICE): string {
  const path = join(mkdtempSync(join(tmpdir(), "signalr-lambda-")), name);
  writeFileSync(path, source);
  return path;
}

export interface DeployOptions {
  readonly service?: Partial<SignalRServiceProps>;
  readonly stack?: StackProps;
  readonly context?: NonNullable<AppProps["context"]>;
  /** Adds what belongs beside the service. */
  readonly beside?: (stack: Stack, service: SignalRService) => void;
}

export interface Deployed {
  readonly app: App;
  readonly stack: Stack;
  readonly service: SignalRService;
  readonly template: Template;
}

/** A stack with one service, not bundled. */
export function deploy(options: DeployOptions = {}): Deployed {
  const app = new App({ context: { ...options.context, "aws:cdk:bundling-stacks": [] } });
  const stack = new Stack(app, "Test", options.stack);
  const service = new SignalRService(stack, "Realtime", { entry: writeServiceFile(), ...options.service });
  options.beside?.(stack, service);
  return { app, stack, service, template: Template.fromStack(stack) };
}

interface Resource {
  readonly Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: a template is JSON without a schema
  readonly Properties: any;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}

/** The resource whose logical id is `name` plus CDK's hash. */
export function resource(template: Template, name: string): Resource {
  const found = Object.entries(template.toJSON().Resources).find(([id]) => stripHash(id) === name);
  if (found === undefined) throw new Error(`The template has no resource '${name}'.`);
  return found[1] as Resource;
}

/** All resources of a type, by name. */
export function resources(template: Template, type: string): Readonly<Record<string, Resource>> {
  const found = Object.entries(template.findResources(type)).map(([id, found]) => [stripHash(id), found as Resource]);
  return Object.fromEntries(found);
}

/** A value with references as `<Name>` and `<Name.Attribute>`. */
export function read(value: unknown): string {
  if (typeof value === "string") return value;
  const { Ref, "Fn::GetAtt": attribute, "Fn::Join": joined } = value as Record<string, unknown[] & string>;
  if (Ref !== undefined) return `<${stripHash(Ref)}>`;
  if (attribute !== undefined) return `<${stripHash(String(attribute[0]))}.${attribute[1]}>`;
  if (joined !== undefined) return (joined[1] as unknown as unknown[]).map(read).join(String(joined[0]));
  throw new Error(`Not a value: ${JSON.stringify(value)}`);
}

/** All that a role may do: its resources, each with the actions allowed on it. */
export function permissionsOf(template: Template, role: string): Readonly<Record<string, readonly string[]>> {
  const { Policies = [], ManagedPolicyArns = [] } = resource(template, role).Properties;
  if (ManagedPolicyArns.length > 0) return { managed: ManagedPolicyArns.map(read) };
  const attached = Object.values(resources(template, "AWS::IAM::Policy"))
    .map((policy) => policy.Properties)
    .filter((policy) => policy.Roles.some((each: unknown) => read(each) === `<${role}>`));
  const allowed: Record<string, string[]> = {};
  for (const { PolicyDocument } of [...Policies, ...attached]) {
    for (const statement of PolicyDocument.Statement) {
      for (const on of [statement.Resource].flat()) {
        allowed[read(on)] = [...(allowed[read(on)] ?? []), ...[statement.Action].flat()].sort();
      }
    }
  }
  return allowed;
}

function stripHash(logicalId: string): string {
  return logicalId.replace(/[0-9A-F]{8}$/, "");
}
