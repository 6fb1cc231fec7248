// The cloud side of the package: one construct that deploys a service.
export type { DistributionOptions } from "./distribution.ts";
export { ServiceFileError } from "./service-file.ts";
export { type ServiceFunctions, SignalRService, type SignalRServiceProps } from "./signalr-service.ts";
