// The table: one, on demand, no index. What a row is called and how it reads is known here alone.
//
// | row            | pk                | sk              | holds                                                   |
// |----------------|-------------------|-----------------|---------------------------------------------------------|
// | transport      | T#{shard 0-15}    | {transport id}  | connection, hub, phase, deadline, rotateAt, authUntil, turn, end |
// | session        | S#{transport id}  | S               | user and request as JSON, each item as attribute i:{key}|
// | connection     | C#{connection id} | C               | hub, transport, user, ended; with expiresAt a tombstone |
// | its groups     | C#{connection id} | G#{group}       |                                                         |
// | waiting frame  | C#{connection id} | I#{key}         | text, receivedAt                                        |
// | work           | C#{connection id} | W#{key}         | nonce, worker, until, died, cancelled                   |
// | hub membership | H#{shard 0-3}#{hub} | {connection id} | transport                                             |
// | group          | G#{hub}#{group}   | {connection id} | transport                                               |
// | user           | U#{hub}#{user}    | {connection id} | transport                                               |
// | user, told of | P#{shard 0-3}#{hub} | {user}          | phase, arrival, gone, holder, until, checkAt            |
// | message to a lost client | O#{connection id} | {number} | record                                                 |
// | upload         | C#{connection id} | U#{stream}      | opener, received, waiting, endedAt, error, closed       |
// | its items      | C#{connection id} | V#{stream}#{key} | json, receivedAt                                       |
// | question       | Q#{question id}   | {connection id} | json or error once it is answered                       |
// | resume key     | R#{name of the key} | R              | connection                                              |
// | sweeper        | SWEEP             | SWEEP           | generation, lastTick, notBefore                         |
//
// Hub paths have no '#', and what a client names comes last, so no name reaches into another row's key.

import type { CreateTableCommandInput } from "@aws-sdk/client-dynamodb";
import type { Audience } from "../hub/index.ts";

export interface Key {
  readonly pk: string;
  readonly sk: string;
}

/** Epoch seconds. DynamoDB removes such rows within days: garbage collection, never a timeout. */
export const TIME_TO_LIVE = "expiresAt";

const TRANSPORT_SHARDS = 16;
const HUB_SHARDS = 4;
const USER_SHARDS = 4;

export const keys = {
  transport: (id: string): Key => ({ pk: `T#${hash(id) % TRANSPORT_SHARDS}`, sk: id }),
  session: (transportId: string): Key => ({ pk: `S#${transportId}`, sk: "S" }),
  connection: (id: string): Key => ({ pk: `C#${id}`, sk: "C" }),
  groupOf: (connectionId: string, group: string): Key => ({ pk: `C#${connectionId}`, sk: `G#${group}` }),
  waiting: (connectionId: string, key: string): Key => ({ pk: `C#${connectionId}`, sk: `I#${key}` }),
  work: (connectionId: string, key: string): Key => ({ pk: `C#${connectionId}`, sk: `W#${key}` }),
  membership: (audience: Audience, connectionId: string): Key => ({
    pk: partition(audience, connectionId),
    sk: connectionId,
  }),
  // Behind a letter, because a key is never empty.
  user: (hub: string, user: string): Key => ({ pk: `P#${hash(user) % USER_SHARDS}#${hub}`, sk: `U${user}` }),
  message: (connectionId: string, number: number): Key => ({
    pk: `O#${connectionId}`,
    sk: String(number).padStart(15, "0"),
  }),
  upload: (connectionId: string, stream: string): Key => ({ pk: `C#${connectionId}`, sk: `U#${stream}` }),
  uploadItem: (connectionId: string, stream: string, key: string): Key => ({
    pk: `C#${connectionId}`,
    // A client names its streams, and one name may begin like another.
    sk: `V#${stream.length}#${stream}#${key}`,
  }),
  question: (id: string, connectionId: string): Key => ({ pk: `Q#${id}`, sk: connectionId }),
  resumeKey: (name: string): Key => ({ pk: `R#${name}`, sk: "R" }),
  sweeper: { pk: "SWEEP", sk: "SWEEP" },
} as const;

/** All partitions with transport rows. */
export const transportPartitions = Array.from({ length: TRANSPORT_SHARDS }, (_, shard) => `T#${shard}`);

/** All partitions with members of an audience. A hub has several, because every connect writes there. */
export function memberPartitions(audience: Audience): readonly string[] {
  if (audience.kind !== "hub") return [partition(audience, "")];
  return Array.from({ length: HUB_SHARDS }, (_, shard) => `H#${shard}#${audience.hub}`);
}

/** All partitions with users of a hub whose coming and going is told. */
export function userPartitions(hub: string): readonly string[] {
  return Array.from({ length: USER_SHARDS }, (_, shard) => `P#${shard}#${hub}`);
}

function partition(audience: Audience, connectionId: string): string {
  switch (audience.kind) {
    case "hub":
      return `H#${hash(connectionId) % HUB_SHARDS}#${audience.hub}`;
    case "group":
      return `G#${audience.hub}#${audience.group}`;
    case "user":
      return `U#${audience.hub}#${audience.user}`;
  }
}

/** FNV-1a, 32 bits: spreads random ids evenly, and the same way in every function. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}

/** How the table is made where CDK does not make it: embedded, and in tests. */
export function tableDefinition(tableName: string): CreateTableCommandInput {
  return {
    TableName: tableName,
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [
      { AttributeName: "pk", AttributeType: "S" },
      { AttributeName: "sk", AttributeType: "S" },
    ],
    KeySchema: [
      { AttributeName: "pk", KeyType: "HASH" },
      { AttributeName: "sk", KeyType: "RANGE" },
    ],
  };
}
