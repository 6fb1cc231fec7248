// The same on AWS: `npx cdk deploy --app "node --import tsx examples/orders/app.ts"`.

import { fileURLToPath } from "node:url";
import { App, Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { Rule, Schedule } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import { Architecture, Runtime } from "aws-cdk-lib/aws-lambda";
import { NodejsFunction, OutputFormat } from "aws-cdk-lib/aws-lambda-nodejs";
import { SignalRService } from "signalr-lambda/cdk";

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const stack = new Stack(new App(), "SignalRLambdaOrders", { description: "The orders example of signalr-lambda" });

const realtime = new SignalRService(stack, "Realtime", {
  entry: file("realtime.ts"),
  removalPolicy: RemovalPolicy.DESTROY, // An example: `npx cdk destroy` leaves no data behind.
});

const courier = new NodejsFunction(stack, "Courier", {
  entry: file("courier.ts"),
  runtime: Runtime.NODEJS_24_X,
  architecture: Architecture.ARM_64,
  timeout: Duration.seconds(30),
  memorySize: 512,
  bundling: {
    format: OutputFormat.ESM,
    mainFields: ["module", "main"],
    minify: true,
    externalModules: [], // The SDK in the bundle loads faster than the runtime's.
    // For the CommonJS packages in the bundle.
    banner: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
  },
});
// Rights and environment; a container takes `realtime.grantSend(role)` and `realtime.senderEnvironment`.
realtime.addSender(courier);
new Rule(stack, "Schedule", { schedule: Schedule.rate(Duration.minutes(1)), targets: [new LambdaFunction(courier)] });
