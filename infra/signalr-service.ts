// The construct: everything a service needs in an AWS account, wired.
import { CfnOutput, RemovalPolicy, Stack } from "aws-cdk-lib";
import type { Distribution } from "aws-cdk-lib/aws-cloudfront";
import type { TableV2 } from "aws-cdk-lib/aws-dynamodb";
import { Grant, type IGrantable } from "aws-cdk-lib/aws-iam";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { NodejsFunction } from "aws-cdk-lib/aws-lambda-nodejs";
import { RetentionDays } from "aws-cdk-lib/aws-logs";
import type { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { Construct } from "constructs";
import { HUB_PARAMETER } from "../lambdas/apigateway/index.ts";
import type { FunctionName } from "./bundling.ts";
import { warnOfDetailedErrors } from "./detailed-errors.ts";
import { type DistributionOptions, OneHost } from "./distribution.ts";
import { allow, createFunction, LONGEST_TIMEOUT, POLL_TIMEOUT, REQUEST_TIMEOUT, SWEEP_TIMEOUT } from "./functions.ts";
import { Http } from "./http.ts";
import type { LogOptions } from "./logs.ts";
import { SweepSchedule } from "./schedule.ts";
import { createOriginSecret, createTokenSecret, secretReference } from "./secrets.ts";
import { resolveServiceFile } from "./service-file.ts";
import { MANAGE_METHODS, Sockets } from "./sockets.ts";
import { createTable, SEND_ACTIONS, TABLE_ACTIONS } from "./table.ts";

export interface SignalRServiceProps {
  /**
   * Path of the service file, whose default export is `defineService({ … })`. A relative path counts from the working
   * directory: for the CDK's command line, the folder of `cdk.json`. The file is bundled with what it imports.
   */
  readonly entry: string;
  /**
   * Memory of the functions that clients wait for, in MB; Lambda gives processor time in proportion. The sweeper, which
   * runs all the time while somebody is connected, always has 256 MB, and so have polls and event streams: each client
   * of theirs has a function that waits with it, and is billed while it waits.
   *
   * @default 512
   */
  readonly memorySize?: number;
  /**
   * How long the logs of the functions and the access logs of both APIs are kept.
   *
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: RetentionDays;
  /**
   * What becomes of the table and the logs when they leave the stack. The table holds what hubs keep of open
   * connections: their groups, users and items.
   *
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
  /**
   * Whether to set the role with which API Gateway writes logs. It is one per account and Region, and WebSocket APIs
   * cannot be deployed with logs without it. Set it to false where something else looks after that setting.
   *
   * @default true
   */
  readonly cloudWatchRole?: boolean;
  /**
   * The distribution that makes one host of sockets, HTTP and event streams, which clients need unless they skip
   * negotiation. With `false` there is none: clients connect to {@link SignalRService.hubUrl} with `skipNegotiation`, over
   * WebSockets, and there are no event streams.
   *
   * @default a distribution with a host name of CloudFront's
   */
  readonly distribution?: false | DistributionOptions;
  /**
   * Whether the functions count connections, messages, invocations and errors as CloudWatch metrics in the namespace
   * `SignalR`. CloudWatch charges for every metric of every hub by the month, and for the lines of the log that carry them.
   *
   * @default false
   */
  readonly metrics?: boolean;
}

/** The functions of a service, for alarms, tags and permissions of one's own. */
export type ServiceFunctions = Readonly<Record<FunctionName, NodejsFunction>>;

/** MB, of what is billed while it waits: for the next tick, or for something to tell a client. */
const WAITING_MEMORY = 256;

/**
 * A SignalR service on API Gateway, Lambda and DynamoDB, behind CloudFront. While nobody is connected it costs what its
 * secrets and its logs cost to keep, and one short run a minute that finds nothing to do.
 *
 * Clients connect to {@link url} and a hub's path, `withUrl(url + "/chat")`.
 *
 * @example
 * const realtime = new SignalRService(this, "Realtime", { entry: "realtime.ts" });
 * realtime.functions.message.addEnvironment("ORDERS_TABLE", orders.tableName);
 * orders.grantReadData(realtime.functions.message);
 * realtime.addSender(shop); // a function that sends with createHubContext
 */
export class SignalRService extends Construct {
  /** Where clients find the hubs: `https://…` + `/chat`. Undefined without a distribution. */
  readonly url: string | undefined;
  /** The host in front of all, for behaviors of your own, such as a page's. Undefined without one. */
  readonly distribution: Distribution | undefined;
  /**
   * Where sockets open; the hub's path goes at its end: `wss://…/prod?hub=` + `chat`. Of use without a distribution:
   * behind one, sockets that come around it are refused.
   */
  readonly socketUrl: string;
  /** The same as {@link socketUrl} in the form that SignalR's clients take: they want `https://` for sockets too. */
  readonly hubUrl: string;
  /** Where clients negotiate, `<httpUrl>/<hub>/negotiate`, with the same restriction. */
  readonly httpUrl: string;
  readonly table: TableV2;
  readonly functions: ServiceFunctions;
  /** The environment of a container or server that sends with `createHubContext`; see {@link grantSend}. */
  readonly senderEnvironment: { readonly SIGNALR_TABLE: string; readonly SIGNALR_CALLBACK_URL: string };
  /** Signs connection tokens, and the access tokens of `createNegotiator`. Whoever has it can be any user. */
  readonly tokenSecret: Secret;
  readonly #sockets: Sockets;

  /** @throws ServiceFileError when `entry` is no file that could be a service. */
  constructor(scope: Construct, id: string, props: SignalRServiceProps) {
    super(scope, id);
    const removalPolicy = props.removalPolicy ?? RemovalPolicy.RETAIN;
    const logs: LogOptions = { retention: props.logRetention ?? RetentionDays.ONE_MONTH, removalPolicy };
    const servicePath = resolveServiceFile(props.entry);
    warnOfDetailedErrors(this, servicePath);

    const table = createTable(this, removalPolicy);
    const sockets = new Sockets(this, "Sockets", { logs, cloudWatchRole: props.cloudWatchRole ?? true });
    const tokenSecret = createTokenSecret(this);
    const originSecret = props.distribution === false ? undefined : secretReference(createOriginSecret(this));
    const functions = createFunctions(this, {
      servicePath,
      logs,
      memorySize: props.memorySize ?? 512,
      tableName: table.tableName,
      callbackUrl: sockets.stage.callbackUrl,
      tokenSecret: secretReference(tokenSecret),
      ...(originSecret !== undefined && { originSecret }),
      ...(props.metrics === true && { metrics: this.node.path }),
    });
    grant(functions, table, sockets);
    sockets.route(functions);
    const http = new Http(this, "Http", { negotiate: functions.negotiate, poll: functions.poll, logs });
    new SweepSchedule(this, "SweepSchedule", functions.sweep);

    const host =
      originSecret === undefined
        ? undefined
        : new OneHost(this, "Host", {
            ...(props.distribution || {}),
            socketHost: hostOf(this, sockets.api.apiId),
            socketStage: sockets.stage.stageName,
            httpHost: hostOf(this, http.api.apiId),
            stream: functions.stream,
            originSecret,
          });

    this.url = host?.url;
    this.distribution = host?.distribution;
    this.table = table;
    this.functions = functions;
    this.tokenSecret = tokenSecret;
    this.#sockets = sockets;
    this.senderEnvironment = { SIGNALR_TABLE: table.tableName, SIGNALR_CALLBACK_URL: sockets.stage.callbackUrl };
    this.socketUrl = `${sockets.stage.url}?${HUB_PARAMETER}=`;
    this.hubUrl = `${sockets.stage.callbackUrl}?${HUB_PARAMETER}=`;
    this.httpUrl = http.api.apiEndpoint;
    this.#output();
  }

  /** Gives `grantee` the rights that `createHubContext` uses: on the table's items and on open sockets, and no others. */
  grantSend(grantee: IGrantable): Grant {
    const onTable = { grantee, actions: [...SEND_ACTIONS], resourceArns: [this.table.tableArn] };
    return Grant.addToPrincipal(onTable).combine(this.#sockets.grantManage(grantee));
  }

  /**
   * Lets a function answer negotiate with `createNegotiator`: it is told the token secret, and the service's URL.
   * A container takes {@link tokenSecret} as its `SIGNALR_TOKEN_SECRET`.
   */
  addNegotiator(handler: LambdaFunction): void {
    handler.addEnvironment("SIGNALR_TOKEN_SECRET", secretReference(this.tokenSecret));
    if (this.url !== undefined) handler.addEnvironment("SIGNALR_URL", this.url);
  }

  /** Lets a function send with `createHubContext`: rights and environment. */
  addSender(handler: LambdaFunction): void {
    for (const [name, value] of Object.entries(this.senderEnvironment)) handler.addEnvironment(name, value);
    this.grantSend(handler);
  }

  #output(): void {
    if (this.url !== undefined) {
      new CfnOutput(this, "Url", { value: this.url, description: "For withUrl; append / and the hub's path" });
      return;
    }
    new CfnOutput(this, "SocketUrl", { value: this.socketUrl, description: "Sockets; append the hub's path" });
    new CfnOutput(this, "HubUrl", {
      value: this.hubUrl,
      description: "For withUrl with skipNegotiation, over WebSockets; append the hub's path",
    });
    new CfnOutput(this, "HttpUrl", { value: this.httpUrl, description: "Negotiation; append the hub's path" });
  }
}

/** Of an API of API Gateway. */
function hostOf(scope: Construct, apiId: string): string {
  const { region, urlSuffix } = Stack.of(scope);
  return `${apiId}.execute-api.${region}.${urlSuffix}`;
}

interface FunctionsOptions {
  readonly servicePath: string;
  readonly logs: LogOptions;
  readonly memorySize: number;
  readonly tableName: string;
  readonly callbackUrl: string;
  readonly tokenSecret: string;
  /** What the distribution proves itself with, if there is one. */
  readonly originSecret?: string;
  /** What metrics call the service; without it there are none. */
  readonly metrics?: string;
}

/** The eight functions. The names of the environment are the contract with lambdas/. */
function createFunctions(scope: Construct, options: FunctionsOptions): ServiceFunctions {
  const { servicePath, logs, memorySize } = options;
  const request = { servicePath, logs, memorySize, timeout: REQUEST_TIMEOUT };
  const table = { SIGNALR_TABLE: options.tableName };
  const callback = { SIGNALR_CALLBACK_URL: options.callbackUrl };
  const secret = { SIGNALR_TOKEN_SECRET: options.tokenSecret };
  const origin = options.originSecret === undefined ? {} : { SIGNALR_ORIGIN_SECRET: options.originSecret };
  const metrics = options.metrics === undefined ? {} : { SIGNALR_METRICS: options.metrics };
  const hub = { ...table, ...callback, ...metrics };
  const work = createFunction(scope, {
    ...request,
    name: "work",
    description: "SignalR: runs streams and long invocations",
    timeout: LONGEST_TIMEOUT,
    // Once more: only then does the client of a worker that died learn of it.
    retryAttempts: 1,
    environment: hub,
  });
  const worker = { SIGNALR_WORKER: work.functionName };
  const message = createFunction(scope, {
    ...request,
    name: "message",
    description: "SignalR: runs the hub's methods",
    // What polls leave it to do the sweeper finds, if it dies: a second try would come too late.
    retryAttempts: 0,
    environment: { ...hub, ...worker },
  });
  const runner = { SIGNALR_MESSAGE: message.functionName };
  return {
    work,
    message,
    connect: createFunction(scope, {
      ...request,
      name: "connect",
      description: "SignalR: accepts or refuses a socket",
      environment: { ...table, ...callback, ...secret, ...origin, ...runner },
    }),
    disconnect: createFunction(scope, {
      ...request,
      name: "disconnect",
      description: "SignalR: notices a closed socket",
      environment: hub,
    }),
    negotiate: createFunction(scope, {
      ...request,
      name: "negotiate",
      description: "SignalR: negotiates a connection",
      environment: { ...table, ...secret, ...origin },
    }),
    poll: createFunction(scope, {
      ...request,
      name: "poll",
      description: "SignalR: long polling, and what is sent over HTTP",
      memorySize: WAITING_MEMORY,
      timeout: POLL_TIMEOUT,
      environment: { ...hub, ...worker, ...runner, ...secret, ...origin },
    }),
    stream: createFunction(scope, {
      ...request,
      name: "stream",
      description: "SignalR: event streams",
      memorySize: WAITING_MEMORY,
      timeout: LONGEST_TIMEOUT,
      environment: { ...hub, ...runner, ...secret, ...origin },
    }),
    sweep: createFunction(scope, {
      ...request,
      name: "sweep",
      description: "SignalR: ends connections that have fallen silent",
      memorySize: WAITING_MEMORY,
      timeout: SWEEP_TIMEOUT,
      environment: { ...hub, ...worker },
    }),
  };
}

/** Each function may do what it does, and nothing else. */
function grant(functions: ServiceFunctions, table: TableV2, sockets: Sockets): void {
  for (const [name, actions] of Object.entries(TABLE_ACTIONS)) {
    allow(functions[name as FunctionName], actions, [table.tableArn]);
  }
  const { connect, message, disconnect, poll, stream, sweep, work } = functions;
  for (const handler of [connect, disconnect, poll, stream, work]) sockets.grantManage(handler);
  // Of a raw connection nobody hears: these two look whether its socket is there.
  for (const handler of [message, sweep]) sockets.grantManage(handler, ["GET", ...MANAGE_METHODS]);
  for (const handler of [message, sweep]) allow(handler, ["lambda:InvokeFunction"], [work.functionArn]);
  for (const handler of [connect, stream]) allow(handler, ["lambda:InvokeFunction"], [message.functionArn]);
  allow(poll, ["lambda:InvokeFunction"], [work.functionArn, message.functionArn]);
}
