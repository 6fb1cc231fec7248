// The HTTP API: negotiate, at every hub's path, and polls at one of their own.
import { Names } from "aws-cdk-lib";
import {
  HttpApi,
  HttpMethod,
  HttpStage,
  LogGroupLogDestination,
  PayloadFormatVersion,
} from "aws-cdk-lib/aws-apigatewayv2";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import type { NodejsFunction } from "aws-cdk-lib/aws-lambda-nodejs";
import { Construct } from "constructs";
import { POLL_PATH } from "../lambdas/edge/index.ts";
import { acknowledge } from "./acknowledge.ts";
import { createLogGroup, HTTP_ACCESS_LOG, type LogOptions } from "./logs.ts";

export interface HttpOptions {
  readonly negotiate: NodejsFunction;
  readonly poll: NodejsFunction;
  readonly logs: LogOptions;
}

/** HTTP of a service. It has no CORS of its own: with one, API Gateway would drop the function's answers to it. */
export class Http extends Construct {
  readonly api: HttpApi;
  readonly stage: HttpStage;

  constructor(scope: Construct, id: string, options: HttpOptions) {
    super(scope, id);
    this.api = new HttpApi(this, "Api", {
      apiName: Names.uniqueResourceName(this, { separator: "-" }),
      description: "SignalR negotiation, long polling and sending",
      createDefaultStage: false,
    });
    const routes = { "/{proxy+}": ["Negotiate", options.negotiate], [POLL_PATH]: ["Poll", options.poll] } as const;
    for (const [path, [name, handler]] of Object.entries(routes)) {
      this.api.addRoutes({
        path,
        methods: [HttpMethod.ANY],
        integration: new HttpLambdaIntegration(name, handler, {
          payloadFormatVersion: PayloadFormatVersion.VERSION_2_0,
        }),
      });
    }
    this.stage = new HttpStage(this, "Stage", {
      httpApi: this.api,
      stageName: "$default",
      autoDeploy: true,
      accessLogSettings: {
        destination: new LogGroupLogDestination(createLogGroup(this, "AccessLogs", options.logs)),
        format: HTTP_ACCESS_LOG,
      },
    });
    acknowledge(
      this.api,
      "AwsSolutions-APIG4",
      "The functions authenticate, as the service's `auth` says: a hub may also serve anonymous clients, and preflights carry no token.",
    );
  }
}
