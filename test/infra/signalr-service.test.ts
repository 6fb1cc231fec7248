import { App, RemovalPolicy, Stack } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { RetentionDays } from "aws-cdk-lib/aws-logs";
import { describe, expect, it } from "vitest";
import { SignalRService } from "../../infra/index.ts";
import { POLL_PATH } from "../../lambdas/edge/index.ts";
import { deploy, read, resource, resources, writeServiceFile } from "./deployed.ts";

const { template, stack, service } = deploy();
const FUNCTIONS = ["Connect", "Message", "Disconnect", "Negotiate", "Poll", "Stream", "Sweep", "Work"];

describe("the table", () => {
  it("has pk and sk as keys, on demand, and no index", () => {
    template.resourceCountIs("AWS::DynamoDB::GlobalTable", 1);
    template.hasResourceProperties("AWS::DynamoDB::GlobalTable", {
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [
        { AttributeName: "pk", AttributeType: "S" },
        { AttributeName: "sk", AttributeType: "S" },
      ],
      KeySchema: [
        { AttributeName: "pk", KeyType: "HASH" },
        { AttributeName: "sk", KeyType: "RANGE" },
      ],
      GlobalSecondaryIndexes: Match.absent(),
      LocalSecondaryIndexes: Match.absent(),
      StreamSpecification: Match.absent(),
    });
  });

  it("lets rows expire by expiresAt", () => {
    template.hasResourceProperties("AWS::DynamoDB::GlobalTable", {
      TimeToLiveSpecification: { AttributeName: "expiresAt", Enabled: true },
    });
  });

  it("can be recovered to a point in time", () => {
    template.hasResourceProperties("AWS::DynamoDB::GlobalTable", {
      Replicas: [Match.objectLike({ PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } })],
    });
  });

  it("outlives its stack unless told otherwise", () => {
    expect(resource(template, "RealtimeTable").DeletionPolicy).toBe("Retain");
    const example = deploy({ service: { removalPolicy: RemovalPolicy.DESTROY } });
    expect(resource(example.template, "RealtimeTable").DeletionPolicy).toBe("Delete");
  });
});

describe("the WebSocket API", () => {
  it("sends every frame to $default, whatever is in it", () => {
    template.hasResourceProperties("AWS::ApiGatewayV2::Api", {
      ProtocolType: "WEBSOCKET",
      RouteSelectionExpression: "\\$default",
    });
  });

  it.each([
    ["$connect", "Connect"],
    ["$default", "Message"],
    ["$disconnect", "Disconnect"],
  ])("has %s run %s", (routeKey, handler) => {
    expect(handlerOf(routeKey)).toContain(`<Realtime${handler}.Arn>`);
  });

  it("has no other route, no route response and no model that would send frames of its own", () => {
    const routes = Object.values(resources(template, "AWS::ApiGatewayV2::Route")).map(({ Properties }) => Properties);
    const keys = routes.map((route) => route.RouteKey);
    expect(keys.sort()).toEqual(["$connect", "$default", "$disconnect", "ANY /poll", "ANY /{proxy+}"]);
    expect(routes.filter((route) => route.RequestModels !== undefined)).toEqual([]);
    template.resourceCountIs("AWS::ApiGatewayV2::RouteResponse", 0);
    template.resourceCountIs("AWS::ApiGatewayV2::IntegrationResponse", 0);
    template.resourceCountIs("AWS::ApiGatewayV2::Authorizer", 0);
  });

  it("is served at the stage prod, throttled by the account alone", () => {
    template.hasResourceProperties("AWS::ApiGatewayV2::Stage", {
      ApiId: stack.resolve(apiId("RealtimeSocketsApi")),
      StageName: "prod",
      AutoDeploy: true,
      DefaultRouteSettings: Match.absent(),
      RouteSettings: Match.absent(),
    });
  });

  it("can be deployed with its logs in an account that has no role for them", () => {
    expect(read(resource(template, "RealtimeSocketsAccount").Properties.CloudWatchRoleArn)).toBe(
      "<RealtimeSocketsCloudWatchRole.Arn>",
    );
    template.hasResource("AWS::ApiGatewayV2::Stage", {
      Properties: { StageName: "prod" },
      DependsOn: [Match.stringLikeRegexp("^RealtimeSocketsAccount")],
    });
  });

  it("leaves the account's role in place when the stack goes, since other APIs may log with it", () => {
    const example = deploy({ service: { removalPolicy: RemovalPolicy.DESTROY } }).template;
    expect(resource(example, "RealtimeSocketsCloudWatchRole").DeletionPolicy).toBe("Retain");
    expect(resource(example, "RealtimeSocketsAccount").DeletionPolicy).toBe("Retain");
  });

  it("leaves the account's setting alone when told to", () => {
    const { template } = deploy({ service: { cloudWatchRole: false } });
    template.resourceCountIs("AWS::ApiGateway::Account", 0);
    expect(Object.keys(resources(template, "AWS::IAM::Role"))).not.toContain("RealtimeSocketsCloudWatchRole");
  });
});

describe("the HTTP API", () => {
  it("has every path and method run negotiate, and one of them poll, in payload format 2.0", () => {
    expect(handlerOf("ANY /{proxy+}")).toBe("<RealtimeNegotiate.Arn>");
    expect(handlerOf(`ANY ${POLL_PATH}`)).toBe("<RealtimePoll.Arn>");
    template.hasResourceProperties("AWS::ApiGatewayV2::Integration", {
      IntegrationType: "AWS_PROXY",
      PayloadFormatVersion: "2.0",
    });
  });

  it("has no CORS of its own, which would replace the function's answers", () => {
    template.hasResourceProperties("AWS::ApiGatewayV2::Api", {
      ProtocolType: "HTTP",
      CorsConfiguration: Match.absent(),
    });
  });

  it("is served without a stage in the path", () => {
    template.hasResourceProperties("AWS::ApiGatewayV2::Stage", {
      ApiId: stack.resolve(apiId("RealtimeHttpApi")),
      StageName: "$default",
      AutoDeploy: true,
    });
  });
});

describe("the functions", () => {
  it("are eight", () => {
    const names = Object.keys(resources(template, "AWS::Lambda::Function"));
    expect(names.sort()).toEqual(FUNCTIONS.map((name) => `Realtime${name}`).sort());
  });

  it.each(FUNCTIONS)("%s runs on nodejs24.x, arm64, without tracing", (name) => {
    const { Runtime, Architectures, Handler, TracingConfig } = resource(template, `Realtime${name}`).Properties;
    expect({ Runtime, Architectures, Handler }).toEqual({
      Runtime: "nodejs24.x",
      Architectures: ["arm64"],
      Handler: "index.handler",
    });
    expect(TracingConfig).toBeUndefined();
  });

  it.each([
    ["Connect", 28, 512],
    ["Message", 28, 512],
    ["Disconnect", 28, 512],
    ["Negotiate", 28, 512],
    ["Poll", 29, 256],
    ["Stream", 900, 256],
    ["Sweep", 180, 256],
    ["Work", 900, 512],
  ])("%s ends after %i s and has %i MB", (name, seconds, megabytes) => {
    const { Timeout, MemorySize } = resource(template, `Realtime${name}`).Properties;
    expect({ Timeout, MemorySize }).toEqual({ Timeout: seconds, MemorySize: megabytes });
  });

  it("have the memory that is asked for, except those that wait", () => {
    const { template } = deploy({ service: { memorySize: 1769 } });
    const sizes = FUNCTIONS.map((name) => resource(template, `Realtime${name}`).Properties.MemorySize);
    expect(sizes).toEqual([1769, 1769, 1769, 1769, 256, 256, 256, 1769]);
  });

  const table = { SIGNALR_TABLE: "<RealtimeTable>" };
  const callback = {
    SIGNALR_CALLBACK_URL: "https://<RealtimeSocketsApi>.execute-api.<AWS::Region>.<AWS::URLSuffix>/prod",
  };
  const worker = { SIGNALR_WORKER: "<RealtimeWork>" };
  const runner = { SIGNALR_MESSAGE: "<RealtimeMessage>" };
  const secret = {
    SIGNALR_TOKEN_SECRET: "{{resolve:secretsmanager:<RealtimeTokenSecret>:SecretString:::}}",
  };
  const origin = {
    SIGNALR_ORIGIN_SECRET: "{{resolve:secretsmanager:<RealtimeOriginSecret>:SecretString:::}}",
  };
  it.each([
    ["Connect", { ...table, ...callback, ...runner, ...secret, ...origin }],
    ["Message", { ...table, ...callback, ...worker }],
    ["Disconnect", { ...table, ...callback }],
    ["Negotiate", { ...table, ...secret, ...origin }],
    ["Poll", { ...table, ...callback, ...worker, ...runner, ...secret, ...origin }],
    ["Stream", { ...table, ...callback, ...runner, ...secret, ...origin }],
    ["Sweep", { ...table, ...callback, ...worker }],
    ["Work", { ...table, ...callback }],
  ])("%s is told what it needs and nothing else", (name, expected) => {
    const variables = Object.entries(resource(template, `Realtime${name}`).Properties.Environment.Variables);
    expect(Object.fromEntries(variables.map(([key, value]) => [key, read(value)]))).toEqual({
      ...expected,
      NODE_OPTIONS: "--enable-source-maps",
    });
  });
});

it("has metrics in the functions that run hubs, when they are asked for", () => {
  const { template } = deploy({ service: { metrics: true } });
  const names = FUNCTIONS.map(
    (name) => resource(template, `Realtime${name}`).Properties.Environment.Variables.SIGNALR_METRICS,
  );
  const name = "Test/Realtime";
  expect(names).toEqual([undefined, name, name, undefined, name, name, name, name]);
});

describe("the secrets", () => {
  it.each(["TokenSecret", "OriginSecret"])("%s is generated, 64 characters without punctuation", (name) => {
    template.resourceCountIs("AWS::SecretsManager::Secret", 2);
    const { GenerateSecretString, SecretString } = resource(template, `Realtime${name}`).Properties;
    expect(GenerateSecretString).toMatchObject({ PasswordLength: 64, ExcludePunctuation: true });
    expect(SecretString).toBeUndefined();
  });
});

describe("the sweeper's schedule", () => {
  it("starts it every minute", () => {
    template.resourceCountIs("AWS::Scheduler::Schedule", 1);
    const { ScheduleExpression, FlexibleTimeWindow, Target } = resource(template, "RealtimeSweepSchedule").Properties;
    expect(ScheduleExpression).toBe("rate(1 minute)");
    expect(FlexibleTimeWindow).toEqual({ Mode: "OFF" });
    expect(read(Target.Arn)).toBe("<RealtimeSweep.Arn>");
    expect(JSON.parse(Target.Input)).toEqual({ source: "aws.scheduler" });
  });

  it("never retries: neither the scheduler nor Lambda's queue", () => {
    template.hasResourceProperties("AWS::Scheduler::Schedule", {
      Target: { RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 } },
    });
    template.hasResourceProperties("AWS::Lambda::EventInvokeConfig", {
      FunctionName: stack.resolve(service.functions.sweep.functionName),
      MaximumRetryAttempts: 0,
      MaximumEventAgeInSeconds: 60,
    });
  });
});

describe("the logs", () => {
  const groups = [
    ...FUNCTIONS.map((name) => `Realtime${name}Logs`),
    "RealtimeSocketsAccessLogs",
    "RealtimeHttpAccessLogs",
  ];

  it("are ten groups, each kept for a month", () => {
    const retention = Object.entries(resources(template, "AWS::Logs::LogGroup")).map(([name, { Properties }]) => [
      name,
      Properties.RetentionInDays,
    ]);
    expect(Object.fromEntries(retention)).toEqual(Object.fromEntries(groups.map((name) => [name, 30])));
  });

  it("are kept as long as told", () => {
    const { template } = deploy({ service: { logRetention: RetentionDays.THREE_DAYS } });
    const retention = Object.values(resources(template, "AWS::Logs::LogGroup"));
    expect(new Set(retention.map(({ Properties }) => Properties.RetentionInDays))).toEqual(new Set([3]));
  });

  it("go the way of the table", () => {
    const example = deploy({ service: { removalPolicy: RemovalPolicy.DESTROY } }).template;
    for (const [source, policy] of [
      [template, "Retain"],
      [example, "Delete"],
    ] as const) {
      const all = Object.values(resources(source, "AWS::Logs::LogGroup"));
      expect(new Set(all.map((group) => group.DeletionPolicy))).toEqual(new Set([policy]));
    }
  });

  it.each(FUNCTIONS)("of %s go to its own group", (name) => {
    const { LoggingConfig } = resource(template, `Realtime${name}`).Properties;
    expect(read(LoggingConfig.LogGroup)).toBe(`<Realtime${name}Logs>`);
  });

  it.each(["Sockets", "Http"])("of access to %s hold neither query, headers nor bodies", (api) => {
    const { AccessLogSettings } = resource(template, `Realtime${api}Stage`).Properties;
    expect(read(AccessLogSettings.DestinationArn)).toBe(`<Realtime${api}AccessLogs.Arn>`);
    const fields = Object.values(JSON.parse(AccessLogSettings.Format));
    expect(fields).toContain("$context.requestId");
    expect(fields.filter((field) => !/^\$context\.[\w.]+$/.test(String(field)))).toEqual([]);
    expect(AccessLogSettings.Format).not.toMatch(/query|header|body|token|authorizer|\$request|\$context\.path\w/i);
  });
});

describe("the URLs", () => {
  it("are those of the origins where there is no distribution, as outputs and properties", () => {
    const host = "<RealtimeSocketsApi>.execute-api.<AWS::Region>.<AWS::URLSuffix>";
    const { template, stack, service } = deploy({ service: { distribution: false } });
    const expected = {
      SocketUrl: `wss://${host}/prod?hub=`,
      HubUrl: `https://${host}/prod?hub=`,
      HttpUrl: "<RealtimeHttpApi.ApiEndpoint>",
    };
    const outputs = Object.entries(template.findOutputs("*")).map(([id, { Value }]) => [
      id.replace(/^Realtime|[0-9A-F]{8}$/g, ""),
      read(Value),
    ]);
    expect(Object.fromEntries(outputs)).toEqual(expected);
    const { socketUrl, hubUrl, httpUrl } = service;
    expect([socketUrl, hubUrl, httpUrl].map((url) => read(stack.resolve(url)))).toEqual(Object.values(expected));
    expect(service.url).toBeUndefined();
  });
});

it("stands beside another service in one stack", () => {
  const stack = new Stack(new App({ context: { "aws:cdk:bundling-stacks": [] } }), "Test");
  for (const id of ["Chat", "Game"]) new SignalRService(stack, id, { entry: writeServiceFile() });
  const both = Template.fromStack(stack);
  both.resourceCountIs("AWS::DynamoDB::GlobalTable", 2);
  both.resourceCountIs("AWS::Lambda::Function", 16);
  both.resourceCountIs("AWS::SecretsManager::Secret", 4);
  both.resourceCountIs("AWS::CloudFront::Distribution", 2);
});

/** The function behind a route. */
function handlerOf(routeKey: string): string {
  const routes = Object.values(resources(template, "AWS::ApiGatewayV2::Route"));
  const route = routes.find(({ Properties }) => Properties.RouteKey === routeKey);
  const integration = read(route?.Properties.Target).replace(/^integrations\/<|>$/g, "");
  return read(resource(template, integration).Properties.IntegrationUri);
}

function apiId(name: string): unknown {
  const id = Object.keys(template.findResources("AWS::ApiGatewayV2::Api")).find((each) => each.startsWith(name));
  return { Ref: id };
}
