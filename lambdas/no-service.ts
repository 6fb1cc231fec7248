// What `#service` means until a bundler puts the user's service file in its place.
import type { Service } from "./hub/index.ts";

export default noService();

function noService(): Service {
  throw new TypeError(
    "This function was bundled without a service. Deploy it with SignalRService of signalr-lambda/cdk, or have your bundler resolve '#service' to the file that has `export default defineService({ … })`.",
  );
}
