import { readFileSync } from "node:fs";
import { type App, Validations } from "aws-cdk-lib";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { AwsSolutionsChecks } from "cdk-nag";
import { describe, expect, it } from "vitest";
import { type DeployOptions, deploy } from "./deployed.ts";

const flags = JSON.parse(readFileSync(new URL("../../cdk.json", import.meta.url), "utf8")).context;
const environment = { account: "123456789012", region: "eu-central-1" };

function violations(app: App): string[] {
  return new AwsSolutionsChecks(app).validateScope(app).violations.map(({ ruleName }) => ruleName);
}

describe("cdk-nag's AwsSolutions finds nothing that is not accepted", () => {
  it.each<[string, DeployOptions]>([
    ["in an app without feature flags", {}],
    ["in an app with this repository's feature flags", { context: flags }],
    ["in a stack of a known account and Region", { stack: { env: environment } }],
    ["in such a stack with feature flags", { stack: { env: environment }, context: flags }],
    ["where the account has a role for logs", { service: { cloudWatchRole: false } }],
    ["without a distribution", { service: { distribution: false } }],
  ])("%s", (_where, options) => {
    expect(violations(deploy(options).app)).toEqual([]);
  });

  it("and would find something: a bare bucket beside the service", () => {
    const { app, stack } = deploy();
    new Bucket(stack, "Bucket");
    expect(violations(app)).toContain("AwsSolutions-S1");
  });
});

it("finds nothing in the rights of who sends from outside", () => {
  const { app, stack, service } = deploy();
  service.grantSend(new Role(stack, "Task", { assumedBy: new ServicePrincipal("ecs-tasks.amazonaws.com") }));
  expect(violations(app)).toEqual([]);
});

it("accepts these findings, each with a reason, and no others", () => {
  const accepted: Record<string, string> = {};
  for (const construct of deploy().stack.node.findAll()) {
    for (const { type, data } of construct.node.metadata) {
      if (type !== Validations.ACKNOWLEDGED_RULES_METADATA_KEY) continue;
      for (const [id, reason] of Object.entries(data as Record<string, string>)) {
        accepted[
          `${construct.node.path} ${id.replace(/^Annotation::AwsSolutions-/, "").replace(/[0-9A-F]{8}>/, ">")}`
        ] = reason;
      }
    }
  }
  const stage = "arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<RealtimeSocketsApi>/prod";
  const posting = ["Connect", "Disconnect", "Message", "Poll", "Stream", "Sweep", "Work"].map((name) => `${name}Role`);
  const sockets = posting.flatMap((role) => [
    `Test/Realtime/${role} IAM5[Resource::${stage}/DELETE/@connections/*]`,
    `Test/Realtime/${role} IAM5[Resource::${stage}/POST/@connections/*]`,
  ]);
  const policy = "arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs";
  expect(Object.keys(accepted).sort()).toEqual(
    [
      ...sockets,
      ...["MessageRole", "SweepRole"].map(
        (role) => `Test/Realtime/${role} IAM5[Resource::${stage}/GET/@connections/*]`,
      ),
      "Test/Realtime/Host/Distribution CFR1",
      "Test/Realtime/Host/Distribution CFR2",
      "Test/Realtime/Host/Distribution CFR3",
      "Test/Realtime/Host/Distribution CFR4",
      "Test/Realtime/Http/Api APIG4",
      "Test/Realtime/OriginSecret SMG4",
      "Test/Realtime/Sockets/Api APIG4",
      `Test/Realtime/Sockets/CloudWatchRole IAM4[Policy::${policy}]`,
      "Test/Realtime/TokenSecret SMG4",
    ].sort(),
  );
  expect(Object.values(accepted).filter((reason) => reason.length < 20)).toEqual([]);
});
