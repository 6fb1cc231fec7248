// The SDK's clients as the functions use them: a request that hangs must not take its function with it.

import { ApiGatewayManagementApiClient } from "@aws-sdk/client-apigatewaymanagementapi";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";

/** Milliseconds; sockets for a broadcast's posts at once. */
const REQUESTS = {
  connectionTimeout: 1_000,
  requestTimeout: 3_000,
  // Without it the SDK only warns that the time is over, and goes on waiting.
  throwOnRequestTimeout: true,
  httpsAgent: { maxSockets: 128 },
};

/** Region, credentials and retries are the SDK's own. */
export function dynamoDBClient(): DynamoDBClient {
  return new DynamoDBClient({ requestHandler: REQUESTS });
}

/** Tries once: `apiGatewayTransports` knows what may be repeated. */
export function managementClient(endpoint: string): ApiGatewayManagementApiClient {
  return new ApiGatewayManagementApiClient({ endpoint, maxAttempts: 1, requestHandler: REQUESTS });
}
