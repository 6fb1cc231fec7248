import { App, Duration, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { Certificate } from "aws-cdk-lib/aws-certificatemanager";
import { HttpOrigin } from "aws-cdk-lib/aws-cloudfront-origins";
import { AwsSolutionsChecks } from "cdk-nag";
import { describe, expect, it } from "vitest";
import { SignalRService } from "../../infra/index.ts";
import { edgeFunction, ORIGINS } from "../../lambdas/edge/index.ts";
import { deploy, read, resource, resources, writeServiceFile } from "./deployed.ts";

const { template, stack, service } = deploy();
const config = resource(template, "RealtimeHostDistribution").Properties.DistributionConfig;
const CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/c";
const WEB_ACL = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/w/1";

// biome-ignore lint/suspicious/noExplicitAny: a template is JSON without a schema
function origin(id: string): any {
  return config.Origins.find(({ Id }: { Id: string }) => Id === id);
}

describe("the distribution", () => {
  it("has the three origins that the edge function names, and no other", () => {
    const ids = config.Origins.map(({ Id }: { Id: string }) => Id);
    expect(ids.sort()).toEqual(Object.values(ORIGINS).sort());
    const host = (api: string) => `<${api}>.execute-api.<AWS::Region>.<AWS::URLSuffix>`;
    expect(read(origin(ORIGINS.socket).DomainName)).toBe(host("RealtimeSocketsApi"));
    expect(read(origin(ORIGINS.http).DomainName)).toBe(host("RealtimeHttpApi"));
    expect(JSON.stringify(origin(ORIGINS.stream).DomainName)).toContain("RealtimeStreamFunctionUrl");
  });

  it.each(Object.values(ORIGINS))("asks the %s origin over TLS, once, with the secret, and waits a minute", (id) => {
    const { ConnectionAttempts, CustomOriginConfig, OriginPath, OriginCustomHeaders } = origin(id);
    expect(CustomOriginConfig).toMatchObject({
      OriginProtocolPolicy: "https-only",
      OriginSSLProtocols: ["TLSv1.2"],
      OriginReadTimeout: Duration.minutes(1).toSeconds(),
    });
    expect([ConnectionAttempts, OriginPath]).toEqual([1, undefined]);
    const [header, ...others] = OriginCustomHeaders;
    expect(others).toEqual([]);
    expect([header.HeaderName, read(header.HeaderValue)]).toEqual([
      "x-origin-verify",
      "{{resolve:secretsmanager:<RealtimeOriginSecret>:SecretString:::}}",
    ]);
  });

  it("sends every request through the edge function, whatever its path: of all methods, all headers but Host, uncached", () => {
    const behaviors = [config.DefaultCacheBehavior, ...config.CacheBehaviors];
    expect(behaviors.map(({ TargetOriginId }) => TargetOriginId)).toEqual(["socket", "http", "stream"]);
    for (const behavior of behaviors) {
      const [association, ...others] = behavior.FunctionAssociations;
      expect(others).toEqual([]);
      expect(association.EventType).toBe("viewer-request");
      expect(read(association.FunctionARN)).toBe("<RealtimeHostEdgeFunction.FunctionARN>");
      expect(behavior).toMatchObject({
        // AWS's own policies: CachingDisabled and AllViewerExceptHostHeader.
        CachePolicyId: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        OriginRequestPolicyId: "b689b0a8-53d0-40ab-baf2-68738e2966ac",
        ViewerProtocolPolicy: "https-only",
        Compress: false,
      });
      expect([...behavior.AllowedMethods].sort()).toEqual(["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]);
    }
  });

  it("writes no logs: query strings are full of tokens", () => {
    expect(config.Logging).toBeUndefined();
    expect(Object.keys(resources(template, "AWS::Logs::Delivery"))).toEqual([]);
  });

  it("is what the service's URL names, and the only output", () => {
    const outputs = Object.entries(template.findOutputs("*"));
    expect(outputs.map(([id, { Value }]) => [id.replace(/[0-9A-F]{8}$/, ""), read(Value)])).toEqual([
      ["RealtimeUrl", "https://<RealtimeHostDistribution.DomainName>"],
    ]);
    expect(read(stack.resolve(service.url))).toBe("https://<RealtimeHostDistribution.DomainName>");
    expect(service.distribution).toBeDefined();
  });

  it("takes host names, a certificate and a web ACL", () => {
    const app = new App({ context: { "aws:cdk:bundling-stacks": [] } });
    const stack = new Stack(app, "Test");
    const certificate = Certificate.fromCertificateArn(stack, "Certificate", CERTIFICATE);
    const domainNames = ["chat.example.com", "www.example.com"];
    const distribution = { domainNames, certificate, webAclId: WEB_ACL };
    const service = new SignalRService(stack, "Realtime", { entry: writeServiceFile(), distribution });
    const { DistributionConfig } = resource(Template.fromStack(stack), "RealtimeHostDistribution").Properties;
    expect(DistributionConfig).toMatchObject({
      Aliases: domainNames,
      ViewerCertificate: { AcmCertificateArn: CERTIFICATE, MinimumProtocolVersion: "TLSv1.2_2021" },
      WebACLId: WEB_ACL,
    });
    expect(service.url).toBe("https://chat.example.com");
    expect(new AwsSolutionsChecks(app).validateScope(app).violations).toEqual([]);
  });

  it("takes behaviors of one's own beside these: pages of the same host", () => {
    const { template } = deploy({
      beside: (_stack, { distribution }) => distribution?.addBehavior("/pages/*", new HttpOrigin("pages.example.com")),
    });
    const { CacheBehaviors } = resource(template, "RealtimeHostDistribution").Properties.DistributionConfig;
    const patterns = CacheBehaviors.map(({ PathPattern }: { PathPattern: string }) => PathPattern);
    expect(patterns).toEqual(["/_origin/http", "/_origin/stream", "/pages/*"]);
  });
});

describe("the edge function", () => {
  it("is the very file that the local gateway runs, with the stage of the socket API in it", () => {
    const { FunctionCode, FunctionConfig, AutoPublish } = resource(template, "RealtimeHostEdgeFunction").Properties;
    expect(FunctionCode).toBe(edgeFunction("prod"));
    expect([FunctionConfig.Runtime, AutoPublish]).toEqual(["cloudfront-js-2.0", true]);
    expect(resource(template, "RealtimeSocketsStage").Properties.StageName).toBe("prod");
  });
});

describe("the function URL", () => {
  it("streams, and answers to nobody but CloudFront, which signs", () => {
    expect(Object.keys(resources(template, "AWS::Lambda::Url"))).toEqual(["RealtimeStreamFunctionUrl"]);
    expect(resource(template, "RealtimeStreamFunctionUrl").Properties).toMatchObject({
      AuthType: "AWS_IAM",
      InvokeMode: "RESPONSE_STREAM",
    });
    expect(read(origin(ORIGINS.stream).OriginAccessControlId)).toBe("<RealtimeHostAccess.Id>");
    const access = resource(template, "RealtimeHostAccess").Properties.OriginAccessControlConfig;
    expect(access).toMatchObject({
      OriginAccessControlOriginType: "lambda",
      SigningBehavior: "always",
      SigningProtocol: "sigv4",
    });
  });

  it("has a name of its own in each Region, of no more than 64 characters", () => {
    const { Name } = resource(template, "RealtimeHostAccess").Properties.OriginAccessControlConfig;
    expect(read(Name)).toMatch(/-<AWS::Region>$/);
    const longest = "ap-southeast-99";
    expect(read(Name).replace("<AWS::Region>", longest).length).toBeLessThanOrEqual(64);
  });
});

describe("without a distribution", () => {
  const { template, service } = deploy({ service: { distribution: false } });

  it("there is no edge function, no function URL, no secret, and nothing asks for one", () => {
    const none = ["CloudFront::Distribution", "CloudFront::Function", "CloudFront::OriginAccessControl", "Lambda::Url"];
    for (const type of none) template.resourceCountIs(`AWS::${type}`, 0);
    template.resourceCountIs("AWS::SecretsManager::Secret", 1);
    expect(JSON.stringify(template.toJSON())).not.toContain("SIGNALR_ORIGIN_SECRET");
    expect([service.url, service.distribution]).toEqual([undefined, undefined]);
  });
});
