import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Code, Function as LambdaFunction, Runtime } from "aws-cdk-lib/aws-lambda";
import { describe, expect, it } from "vitest";
import { deploy, permissionsOf, read, resource, resources } from "./deployed.ts";

const { template } = deploy();

const LOGS = ["logs:CreateLogStream", "logs:PutLogEvents"];
const REFRESH = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"];
const SERVE = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"];
const STAGE = "arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<RealtimeSocketsApi>/prod";
const SOCKETS = {
  [`${STAGE}/POST/@connections/*`]: ["execute-api:ManageConnections"],
  [`${STAGE}/DELETE/@connections/*`]: ["execute-api:ManageConnections"],
};
const LOOK = { [`${STAGE}/GET/@connections/*`]: ["execute-api:ManageConnections"] };

const STREAM = "<RealtimeStreamFunctionUrl.FunctionArn>";
const RUNNER = { "<RealtimeMessage.Arn>": ["lambda:InvokeFunction"] };
const WORKER = { "<RealtimeWork.Arn>": ["lambda:InvokeFunction"] };

describe("each function may do what it does, and nothing else", () => {
  it.each([
    ["Connect", { "<RealtimeTable.Arn>": SERVE, ...SOCKETS, ...RUNNER }],
    ["Message", { "<RealtimeTable.Arn>": SERVE, ...SOCKETS, ...LOOK, ...WORKER }],
    ["Disconnect", { "<RealtimeTable.Arn>": SERVE, ...SOCKETS }],
    ["Negotiate", { "<RealtimeTable.Arn>": REFRESH }],
    ["Poll", { "<RealtimeTable.Arn>": SERVE, ...SOCKETS, ...WORKER, ...RUNNER }],
    ["Stream", { "<RealtimeTable.Arn>": SERVE, ...SOCKETS, ...RUNNER }],
    ["Sweep", { "<RealtimeTable.Arn>": SERVE, ...SOCKETS, ...LOOK, ...WORKER }],
    ["Work", { "<RealtimeTable.Arn>": SERVE, ...SOCKETS }],
  ])("%s", (name, expected) => {
    expect(read(resource(template, `Realtime${name}`).Properties.Role)).toBe(`<Realtime${name}Role.Arn>`);
    expect(permissionsOf(template, `Realtime${name}Role`)).toEqual({
      [`<Realtime${name}Logs.Arn>`]: LOGS,
      ...expected,
    });
  });
});

describe("who sends from outside", () => {
  const {
    stack,
    service,
    template: given,
  } = deploy({
    beside(scope, realtime) {
      const code = Code.fromInline("exports.handler = async () => {}");
      const inline = { code, handler: "index.handler", runtime: Runtime.NODEJS_24_X };
      realtime.addSender(new LambdaFunction(scope, "Shop", inline));
      const assumedBy = new ServicePrincipal("ecs-tasks.amazonaws.com");
      realtime.grantSend(new Role(scope, "Task", { assumedBy })).assertSuccess();
    },
  });

  it.each(["ShopServiceRole", "Task"])("%s may write the table's items, and post to and close sockets", (role) => {
    const policies = Object.values(resources(given, "AWS::IAM::Policy")).map(({ Properties }) => Properties);
    const own = policies.find(({ Roles }) => Roles.some((each: unknown) => read(each) === `<${role}>`));
    const allowed = own?.PolicyDocument.Statement.map((statement: { Action: unknown; Resource: unknown }) => [
      [statement.Action].flat().sort(),
      [statement.Resource].flat().map(read),
    ]);
    expect(allowed).toEqual([
      [SERVE, ["<RealtimeTable.Arn>"]],
      [["execute-api:ManageConnections"], Object.keys(SOCKETS)],
    ]);
  });

  it("a function is told table and callback URL, and nothing else", () => {
    const { Variables } = resource(given, "Shop").Properties.Environment;
    const message = resource(given, "RealtimeMessage").Properties.Environment.Variables;
    expect(Variables).toEqual({
      SIGNALR_TABLE: message.SIGNALR_TABLE,
      SIGNALR_CALLBACK_URL: message.SIGNALR_CALLBACK_URL,
    });
    expect(stack.resolve(service.senderEnvironment)).toEqual(Variables);
  });
});

it("who answers negotiate is told the secret, and may do nothing with it but sign", () => {
  const { template } = deploy({
    beside(scope, realtime) {
      const code = Code.fromInline("exports.handler = async () => {}");
      const api = new LambdaFunction(scope, "Api", { code, handler: "index.handler", runtime: Runtime.NODEJS_24_X });
      realtime.addNegotiator(api);
      realtime.tokenSecret.grantRead(
        new Role(scope, "Task", { assumedBy: new ServicePrincipal("ecs-tasks.amazonaws.com") }),
      );
    },
  });
  const { Variables } = resource(template, "Api").Properties.Environment;
  const { SIGNALR_TOKEN_SECRET } = resource(template, "RealtimeNegotiate").Properties.Environment.Variables;
  expect(Variables).toEqual({ SIGNALR_TOKEN_SECRET, SIGNALR_URL: expect.anything() });
  expect(Object.keys(resources(template, "AWS::IAM::Policy"))).not.toContain("ApiServiceRoleDefaultPolicy");
  expect(permissionsOf(template, "Task")).toEqual({
    "<RealtimeTokenSecret>": ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
  });
});

it("the schedule may start the sweeper, for this account only", () => {
  expect(permissionsOf(template, "RealtimeSweepScheduleRole")).toEqual({
    "<RealtimeSweep.Arn>": ["lambda:InvokeFunction"],
  });
  const [trust] = resource(template, "RealtimeSweepScheduleRole").Properties.AssumeRolePolicyDocument.Statement;
  expect(trust.Principal).toEqual({ Service: "scheduler.amazonaws.com" });
  expect(trust.Condition).toEqual({ StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } });
});

it("there is a role for each function, for the schedule and for API Gateway's logs, and no other", () => {
  expect(Object.keys(resources(template, "AWS::IAM::Role")).sort()).toEqual([
    "RealtimeConnectRole",
    "RealtimeDisconnectRole",
    "RealtimeMessageRole",
    "RealtimeNegotiateRole",
    "RealtimePollRole",
    "RealtimeSocketsCloudWatchRole",
    "RealtimeStreamRole",
    "RealtimeSweepRole",
    "RealtimeSweepScheduleRole",
    "RealtimeWorkRole",
  ]);
});

it.each(["TokenSecret", "OriginSecret"])(
  "nobody may read the %s: CloudFormation hands it to who serves clients",
  (secret) => {
    expect(JSON.stringify(resources(template, "AWS::IAM::Policy"))).not.toContain("secretsmanager");
    const holders = Object.entries(resources(template, "AWS::Lambda::Function"))
      .filter(([, { Properties }]) => JSON.stringify(Properties).includes(secret))
      .map(([name]) => name);
    expect(holders.sort()).toEqual(["RealtimeConnect", "RealtimeNegotiate", "RealtimePoll", "RealtimeStream"]);
  },
);

it("each API may start only its own functions, and the distribution the one that streams, by its URL", () => {
  const permissions = Object.values(resources(template, "AWS::Lambda::Permission")).map(({ Properties }) => [
    read(Properties.FunctionName),
    Properties.Principal,
    read(Properties.SourceArn).replace(/^.*:(?=<|distribution)/, ""),
    ...(Properties.Action === "lambda:InvokeFunctionUrl" ? ["URL"] : []),
    ...(Properties.InvokedViaFunctionUrl === true ? ["by its URL"] : []),
  ]);
  expect(permissions.sort()).toEqual([
    ["<RealtimeConnect.Arn>", "apigateway.amazonaws.com", "<RealtimeSocketsApi>/*$connect"],
    ["<RealtimeDisconnect.Arn>", "apigateway.amazonaws.com", "<RealtimeSocketsApi>/*$disconnect"],
    ["<RealtimeMessage.Arn>", "apigateway.amazonaws.com", "<RealtimeSocketsApi>/*$default"],
    ["<RealtimeNegotiate.Arn>", "apigateway.amazonaws.com", "<RealtimeHttpApi>/*/*/{proxy+}"],
    ["<RealtimePoll.Arn>", "apigateway.amazonaws.com", "<RealtimeHttpApi>/*/*/poll"],
    [STREAM, "cloudfront.amazonaws.com", "distribution/<RealtimeHostDistribution>", "URL"],
    [STREAM, "cloudfront.amazonaws.com", "distribution/<RealtimeHostDistribution>", "by its URL"],
  ]);
});
