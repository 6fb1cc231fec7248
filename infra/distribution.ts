// One host: a distribution in front of the three origins, and the edge function that chooses among them.
import { Duration, Names, Stack } from "aws-cdk-lib";
import type { ICertificate } from "aws-cdk-lib/aws-certificatemanager";
import {
  AllowedMethods,
  type BehaviorOptions,
  CachePolicy,
  Distribution,
  Function as EdgeFunction,
  FunctionCode,
  FunctionEventType,
  FunctionRuntime,
  FunctionUrlOriginAccessControl,
  type IOrigin,
  OriginRequestPolicy,
  SecurityPolicyProtocol,
  ViewerProtocolPolicy,
} from "aws-cdk-lib/aws-cloudfront";
import { FunctionUrlOrigin, HttpOrigin } from "aws-cdk-lib/aws-cloudfront-origins";
import { FunctionUrlAuthType, InvokeMode } from "aws-cdk-lib/aws-lambda";
import type { NodejsFunction } from "aws-cdk-lib/aws-lambda-nodejs";
import { Construct } from "constructs";
import { EDGE_HEADERS } from "../lambdas/apigateway/index.ts";
import { edgeFunction, ORIGINS } from "../lambdas/edge/index.ts";
import { acknowledge } from "./acknowledge.ts";

export interface DistributionOptions {
  /**
   * Host names of your own, with a {@link certificate} that has them; the first is the one that {@link SignalRService.url}
   * names. Their DNS records are yours to make.
   *
   * @default the name that CloudFront gives
   */
  readonly domainNames?: readonly string[];
  /** Of the host names, in us-east-1. */
  readonly certificate?: ICertificate;
  /** The ARN of a web ACL of AWS WAF, of scope CLOUDFRONT. @default none */
  readonly webAclId?: string;
}

export interface OneHostOptions extends DistributionOptions {
  /** Host of the WebSocket API. */
  readonly socketHost: string;
  /** The stage of the WebSocket API. */
  readonly socketStage: string;
  /** Host of the HTTP API. */
  readonly httpHost: string;
  /** Answers piece by piece. */
  readonly stream: NodejsFunction;
  readonly originSecret: string;
}

/**
 * How long an origin may be silent, before its answer and between two pieces of it: longer than a poll takes, and the
 * longest that an event stream may go without a piece. No account has to ask for this much.
 */
const READ_TIMEOUT = Duration.seconds(60);

/** The host that clients use. */
export class OneHost extends Construct {
  readonly distribution: Distribution;
  readonly url: string;

  constructor(scope: Construct, id: string, options: OneHostOptions) {
    super(scope, id);
    const { domainNames, certificate, webAclId } = options;
    const edge = new EdgeFunction(this, "EdgeFunction", {
      code: FunctionCode.fromInline(edgeFunction(options.socketStage)),
      runtime: FunctionRuntime.JS_2_0,
      comment: "Chooses the origin of a SignalR request",
    });
    const behavior = (origin: IOrigin): BehaviorOptions => ({
      origin,
      viewerProtocolPolicy: ViewerProtocolPolicy.HTTPS_ONLY,
      allowedMethods: AllowedMethods.ALLOW_ALL,
      cachePolicy: CachePolicy.CACHING_DISABLED,
      // An API Gateway that is asked for another host than its own answers 403.
      originRequestPolicy: OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
      // Compression would hold pieces of a stream back.
      compress: false,
      functionAssociations: [{ function: edge, eventType: FunctionEventType.VIEWER_REQUEST }],
    });
    const { socket, http, stream } = originsOf(this, options);
    this.distribution = new Distribution(this, "Distribution", {
      comment: "SignalR: sockets, HTTP and event streams on one host",
      defaultBehavior: behavior(socket),
      // An origin belongs to a distribution by a behavior only. Nobody asks for these paths, and who does is treated
      // like everybody else: there, too, the edge function chooses.
      additionalBehaviors: { "/_origin/http": behavior(http), "/_origin/stream": behavior(stream) },
      ...(domainNames !== undefined && { domainNames: [...domainNames] }),
      ...(certificate !== undefined && { certificate, minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021 }),
      ...(webAclId !== undefined && { webAclId }),
    });
    this.url = `https://${domainNames?.[0] ?? this.distribution.distributionDomainName}`;
    acceptFindings(this.distribution, options);
  }
}

function originsOf(scope: Construct, { socketHost, httpHost, stream, originSecret }: OneHostOptions) {
  const common = {
    customHeaders: { [EDGE_HEADERS.secret]: originSecret },
    readTimeout: READ_TIMEOUT,
    // A request that was not answered in time may have been served: a second one would be another poll, or a connect
    // with a token that is used up.
    connectionAttempts: 1,
  };
  // Signed by CloudFront: nobody else may invoke it, and neither is its address public. What a client says in
  // `Authorization` gives way to the signature, so the edge function puts that into another header.
  const url = stream.addFunctionUrl({
    authType: FunctionUrlAuthType.AWS_IAM,
    invokeMode: InvokeMode.RESPONSE_STREAM,
  });
  // Unique in the account, so that the same stack may be in two Regions. At most 64 characters.
  const name = `${Names.uniqueResourceName(scope, { maxLength: 48 })}-${Stack.of(scope).region}`;
  const originAccessControl = new FunctionUrlOriginAccessControl(scope, "Access", { originAccessControlName: name });
  return {
    socket: new HttpOrigin(socketHost, { ...common, originId: ORIGINS.socket }),
    http: new HttpOrigin(httpHost, { ...common, originId: ORIGINS.http }),
    stream: FunctionUrlOrigin.withOriginAccessControl(url, {
      ...common,
      originAccessControl,
      originId: ORIGINS.stream,
    }),
  };
}

function acceptFindings(distribution: Distribution, { certificate, webAclId }: DistributionOptions): void {
  const accept = (rule: string, reason: string): void => acknowledge(distribution, `AwsSolutions-${rule}`, reason);
  accept(
    "CFR1",
    "Who may connect is for the service's `auth` and `authorize` to say, not for the country they are in.",
  );
  accept(
    "CFR3",
    "Access logs hold query strings, and in those tokens travel; docs/operations.md says how to log without.",
  );
  if (webAclId === undefined) {
    accept("CFR2", "A web ACL costs by the month and the service does not depend on one: `webAclId` takes one.");
  }
  if (certificate === undefined) {
    accept(
      "CFR4",
      "With CloudFront's own host name comes its own choice of TLS versions; a `certificate` gets TLS 1.2.",
    );
  }
}
