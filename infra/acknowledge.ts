// Findings of cdk-nag that are meant to be so. Each acceptance stands beside the resource it is about.
import { Stack, Validations } from "aws-cdk-lib";
import type { IManagedPolicy } from "aws-cdk-lib/aws-iam";
import type { IConstruct } from "constructs";

/** Accepts one finding of cdk-nag on `construct` and what is below it; without cdk-nag it has no effect. */
export function acknowledge(construct: IConstruct, id: string, reason: string): void {
  Validations.of(construct).acknowledge({ id, reason });
}

/** Accepts a wildcard in the ARN of a permission. */
export function acknowledgeWildcard(construct: IConstruct, arn: string, reason: string): void {
  acknowledge(construct, `AwsSolutions-IAM5[Resource::${describe(construct, arn)}]`, reason);
}

/** Accepts one of AWS's own policies. */
export function acknowledgeManagedPolicy(construct: IConstruct, policy: IManagedPolicy, reason: string): void {
  acknowledge(construct, `AwsSolutions-IAM4[Policy::${describe(construct, policy.managedPolicyArn)}]`, reason);
}

/** An ARN as cdk-nag writes it in the id of a finding: references in angle brackets. */
function describe(construct: IConstruct, arn: string): string {
  const visit = (part: unknown): string => {
    if (typeof part === "string") return part;
    const { Ref, "Fn::Join": joined } = part as { Ref?: string; "Fn::Join"?: [string, unknown[]] };
    return joined === undefined ? `<${Ref}>` : joined[1].map(visit).join(joined[0]);
  };
  return visit(Stack.of(construct).resolve(arn));
}
