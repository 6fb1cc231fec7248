// The SDK's clients as the functions use them.

import { ApiGatewayManagementApiClient } from "@aws-sdk/client-apigatewaymanagementapi";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { REQUESTS } from "./sdk-requests.ts";

/** Region, credentials and retries are the SDK's own. */
export function dynamoDBClient(): DynamoDBClient {
  return new DynamoDBClient({ requestHandler: REQUESTS });
}

/** Tries once: `apiGatewayTransports` knows what may be repeated. */
export function managementClient(endpoint: string): ApiGatewayManagementApiClient {
  return new ApiGatewayManagementApiClient({ endpoint, maxAttempts: 1, requestHandler: REQUESTS });
}
