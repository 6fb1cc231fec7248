// The secret that connection tokens and access tokens are signed with.
import { RemovalPolicy } from "aws-cdk-lib";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import type { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";

/** 64 generated letters and digits. It dies with the stack, as the tokens signed with it do. */
export function createTokenSecret(scope: Construct): Secret {
  const secret = new Secret(scope, "TokenSecret", {
    description: "Signs SignalR connection tokens",
    generateSecretString: { passwordLength: 64, excludePunctuation: true },
    removalPolicy: RemovalPolicy.DESTROY,
  });
  acknowledge(
    secret,
    "AwsSolutions-SMG4",
    "Functions get the secret at deployment, so a rotation between deployments would have no effect, and with one the connections that are open could not resume.",
  );
  return secret;
}

/** A reference that CloudFormation resolves at deployment: the template never holds the secret. */
export function tokenSecretReference(secret: Secret): string {
  return secret.secretValue.unsafeUnwrap();
}
