// POST /orders, on a server of its own that knows nothing of sockets: it tells those who follow the customer.

import { createServer, type IncomingMessage, type Server } from "node:http";
import { json } from "node:stream/consumers";
import { createHubContext } from "signalr-lambda/aws";
import { Order, type orders } from "./realtime.ts";

const { clients } = createHubContext<typeof orders>({ hub: "orders" });

/** Not listening yet. */
export function shop(): Server {
  return createServer(async (request, response) => {
    try {
      const order = await readOrder(request);
      if (order === undefined) return response.writeHead(400).end("An order is JSON: customer and item.\n");
      // A real shop stores the order first. Awaited, so that a failure is not answered with 201.
      await clients.group(order.customer).placed(order);
      response.writeHead(201, { "content-type": "application/json" }).end(`${JSON.stringify(order)}\n`);
    } catch (error) {
      console.error(error);
      response.writeHead(500).end("The order could not be placed.\n");
    }
  });
}

async function readOrder(request: IncomingMessage): Promise<Order | undefined> {
  if (request.method !== "POST" || request.url !== "/orders") return undefined;
  // Pages of other origins cannot send this type without asking first, which nobody answers here.
  if (!request.headers["content-type"]?.startsWith("application/json")) return undefined;
  const body = await json(request).catch(() => undefined); // What is no JSON is no order.
  return Order.safeParse(body).data;
}
