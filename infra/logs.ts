// Log groups, and what the two APIs write about each request.
import type { RemovalPolicy } from "aws-cdk-lib";
import { AccessLogFormat } from "aws-cdk-lib/aws-apigateway";
import { LogGroup, type RetentionDays } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";

export interface LogOptions {
  readonly retention: RetentionDays;
  readonly removalPolicy: RemovalPolicy;
}

/** A log group with a name of its own: a stack that is created again never meets one left behind. */
export function createLogGroup(scope: Construct, id: string, options: LogOptions): LogGroup {
  return new LogGroup(scope, id, options);
}

// Never a query string, a header or a body: access tokens, connection tokens and resume keys travel there. The path of
// an HTTP request ($context.path) comes without its query.

/** @see https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-logging.html */
export const SOCKET_ACCESS_LOG = format({
  requestId: "$context.requestId",
  extendedRequestId: "$context.extendedRequestId",
  time: "$context.requestTime",
  event: "$context.eventType",
  route: "$context.routeKey",
  transportId: "$context.connectionId",
  status: "$context.status",
  sourceIp: "$context.identity.sourceIp",
  userAgent: "$context.identity.userAgent",
  integrationStatus: "$context.integrationStatus",
  integrationLatency: "$context.integrationLatency",
  error: "$context.error.message",
  integrationError: "$context.integrationErrorMessage",
});

/** @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html */
export const HTTP_ACCESS_LOG = format({
  requestId: "$context.requestId",
  time: "$context.requestTime",
  method: "$context.httpMethod",
  path: "$context.path",
  status: "$context.status",
  responseLength: "$context.responseLength",
  sourceIp: "$context.identity.sourceIp",
  userAgent: "$context.identity.userAgent",
  integrationStatus: "$context.integration.status",
  integrationLatency: "$context.integrationLatency",
  error: "$context.error.message",
  integrationError: "$context.integrationErrorMessage",
});

function format(fields: Readonly<Record<string, string>>): AccessLogFormat {
  return AccessLogFormat.custom(JSON.stringify(fields));
}
