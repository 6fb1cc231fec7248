// The clients as the functions of this package construct them, for functions that do nothing else.
import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  PostToConnectionCommand,
} from "@aws-sdk/client-apigatewaymanagementapi";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";

const requestHandler = { connectionTimeout: 1_000, requestTimeout: 3_000, httpsAgent: { maxSockets: 128 } };

export function dynamoDB() {
  const client = DynamoDBDocumentClient.from(new DynamoDBClient({ requestHandler }));
  return [client, DeleteCommand, GetCommand, PutCommand, QueryCommand, UpdateCommand];
}

export function connections() {
  const endpoint = process.env.SIGNALR_CALLBACK_URL ?? "";
  const client = new ApiGatewayManagementApiClient({ endpoint, maxAttempts: 1, requestHandler });
  return [client, DeleteConnectionCommand, PostToConnectionCommand];
}
