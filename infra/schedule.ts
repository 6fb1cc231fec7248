// What starts the sweeper.
import { Duration, Stack } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { NodejsFunction } from "aws-cdk-lib/aws-lambda-nodejs";
import { CfnSchedule } from "aws-cdk-lib/aws-scheduler";
import { Construct } from "constructs";

/**
 * Starts `sweep` every minute, and never twice for the same minute: the next one makes up for one that failed, and
 * retries of a failing sweeper would only pile up.
 */
export class SweepSchedule extends Construct {
  constructor(scope: Construct, id: string, sweep: NodejsFunction) {
    super(scope, id);
    const role = new Role(this, "Role", {
      assumedBy: new ServicePrincipal("scheduler.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": Stack.of(this).account } },
      }),
    });
    // CDK's own target would also allow every version of the function.
    role.addToPolicy(new PolicyStatement({ actions: ["lambda:InvokeFunction"], resources: [sweep.functionArn] }));
    const schedule = new CfnSchedule(this, "Schedule", {
      description: "Ends SignalR connections that have fallen silent",
      scheduleExpression: "rate(1 minute)",
      flexibleTimeWindow: { mode: "OFF" },
      target: {
        arn: sweep.functionArn,
        roleArn: role.roleArn,
        input: JSON.stringify({ source: "aws.scheduler" }),
        retryPolicy: { maximumRetryAttempts: 0, maximumEventAgeInSeconds: 60 },
      },
    });
    schedule.node.addDependency(role);
    // The scheduler only hands the event over; Lambda's queue would retry it too.
    sweep.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.minutes(1) });
  }
}
