// What is secret in a service: what connection tokens are signed with, and what the distribution proves itself with.
import { RemovalPolicy } from "aws-cdk-lib";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import type { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";

export function createTokenSecret(scope: Construct): Secret {
  return createSecret(
    scope,
    "TokenSecret",
    "Signs SignalR connection tokens",
    "Functions get the secret at deployment, so a rotation between deployments would have no effect, and with one the connections that are open could not resume.",
  );
}

export function createOriginSecret(scope: Construct): Secret {
  return createSecret(
    scope,
    "OriginSecret",
    "Shows SignalR functions that a request came through the distribution",
    "CloudFront and the functions get the secret at deployment, one after the other: a rotation between deployments would have no effect, and with one clients are refused until both have it.",
  );
}

/** 64 generated letters and digits. It dies with the stack, as what it is for does. */
function createSecret(scope: Construct, id: string, description: string, whyNotRotated: string): Secret {
  const secret = new Secret(scope, id, {
    description,
    generateSecretString: { passwordLength: 64, excludePunctuation: true },
    removalPolicy: RemovalPolicy.DESTROY,
  });
  acknowledge(secret, "AwsSolutions-SMG4", whyNotRotated);
  return secret;
}

/** A reference that CloudFormation resolves at deployment: the template never holds the secret. */
export function secretReference(secret: Secret): string {
  return secret.secretValue.unsafeUnwrap();
}
