// The WebSocket API: three routes, one stage, and the right to answer its sockets.
import { Names, RemovalPolicy, Stack } from "aws-cdk-lib";
import { CfnAccount } from "aws-cdk-lib/aws-apigateway";
import { LogGroupLogDestination, WebSocketApi, WebSocketStage } from "aws-cdk-lib/aws-apigatewayv2";
import { WebSocketLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import { Grant, type IGrantable, ManagedPolicy, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { NodejsFunction } from "aws-cdk-lib/aws-lambda-nodejs";
import { Construct } from "constructs";
import { acknowledge, acknowledgeManagedPolicy, acknowledgeWildcard } from "./acknowledge.ts";
import { createLogGroup, type LogOptions, SOCKET_ACCESS_LOG } from "./logs.ts";

export interface SocketsOptions {
  readonly logs: LogOptions;
  /** Whether to create the account's role for API Gateway's logs. */
  readonly cloudWatchRole: boolean;
}

export interface SocketHandlers {
  readonly connect: NodejsFunction;
  readonly message: NodejsFunction;
  readonly disconnect: NodejsFunction;
}

/** What sending and closing take. */
export const MANAGE_METHODS = ["POST", "DELETE"] as const;

/** Sockets of a service. The functions need its URL, so its routes are added after them. */
export class Sockets extends Construct {
  readonly api: WebSocketApi;
  readonly stage: WebSocketStage;

  constructor(scope: Construct, id: string, options: SocketsOptions) {
    super(scope, id);
    this.api = new WebSocketApi(this, "Api", {
      apiName: Names.uniqueResourceName(this, { separator: "-" }),
      description: "SignalR sockets",
      // A static expression: what a frame says must never choose a route. `\$` is a dollar sign, no variable.
      // https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-selection-expressions.html
      routeSelectionExpression: "\\$default",
    });
    this.stage = new WebSocketStage(this, "Stage", {
      webSocketApi: this.api,
      stageName: "prod",
      autoDeploy: true,
      accessLogSettings: {
        destination: new LogGroupLogDestination(createLogGroup(this, "AccessLogs", options.logs)),
        format: SOCKET_ACCESS_LOG,
      },
    });
    if (options.cloudWatchRole) this.stage.node.addDependency(createAccountRole(this));
  }

  /** Gives each kind of event its function. */
  route(handlers: SocketHandlers): void {
    const routes = {
      $connect: new WebSocketLambdaIntegration("Connect", handlers.connect),
      $default: new WebSocketLambdaIntegration("Message", handlers.message),
      $disconnect: new WebSocketLambdaIntegration("Disconnect", handlers.disconnect),
    };
    for (const [key, integration] of Object.entries(routes)) this.api.addRoute(key, { integration });
    acknowledge(
      this.api,
      "AwsSolutions-APIG4",
      "The connect function authenticates, as the service's `auth` says: a hub may also serve anonymous clients, and an authorizer would be one more function in each connect.",
    );
  }

  /** Lets `grantee` post to the sockets of this stage and close them, or whatever else `methods` say. */
  grantManage(grantee: IGrantable, methods: readonly string[] = MANAGE_METHODS): Grant {
    const arns = methods.map((method) =>
      Stack.of(this).formatArn({
        service: "execute-api",
        resource: this.api.apiId,
        resourceName: `${this.stage.stageName}/${method}/@connections/*`,
      }),
    );
    const { grantPrincipal } = grantee;
    if (Construct.isConstruct(grantPrincipal)) {
      for (const arn of arns) {
        acknowledgeWildcard(grantPrincipal, arn, "Any socket of this stage: their ids come and go.");
      }
    }
    return Grant.addToPrincipal({ grantee, actions: ["execute-api:ManageConnections"], resourceArns: arns });
  }
}

/**
 * API Gateway writes the logs of WebSocket APIs with one role per account and Region, and refuses a stage that logs
 * while there is none. Kept when the stack is deleted: by then other APIs may log with it.
 */
function createAccountRole(scope: Construct): CfnAccount {
  const policy = ManagedPolicy.fromAwsManagedPolicyName("service-role/AmazonAPIGatewayPushToCloudWatchLogs");
  const role = new Role(scope, "CloudWatchRole", {
    assumedBy: new ServicePrincipal("apigateway.amazonaws.com"),
    managedPolicies: [policy],
  });
  role.applyRemovalPolicy(RemovalPolicy.RETAIN);
  acknowledgeManagedPolicy(
    role,
    policy,
    "API Gateway's own policy: the role serves the logs of all APIs of the account.",
  );
  const account = new CfnAccount(scope, "Account", { cloudWatchRoleArn: role.roleArn });
  account.applyRemovalPolicy(RemovalPolicy.RETAIN);
  return account;
}
