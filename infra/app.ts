// The example app: `npx cdk deploy` puts the chat example on AWS.
import { fileURLToPath } from "node:url";
import { App, RemovalPolicy, Stack } from "aws-cdk-lib";
import { SignalRService } from "./index.ts";

const app = new App();
const stack = new Stack(app, "SignalRLambdaChat", { description: "The chat example of signalr-lambda" });

new SignalRService(stack, "Realtime", {
  entry: fileURLToPath(new URL("../examples/chat/realtime.ts", import.meta.url)),
  removalPolicy: RemovalPolicy.DESTROY, // An example: `npx cdk destroy` leaves no data behind.
});
