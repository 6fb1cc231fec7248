// Orders of a shop, followed live. Whoever places them and whoever sends them off run elsewhere: shop.ts and courier.ts
// send through a hub context. `npm start` serves the hub at /orders, with the page at /orders/, and runs both beside it.

import { defineHub, defineService } from "signalr-lambda";
import { z } from "zod";

/** What the server calls on clients. */
interface OrdersClient {
  placed(order: Order): void;
  /** The courier left with everything that was ordered before. Epoch milliseconds. */
  dispatched(at: number): void;
}

export const Order = z.object({
  customer: z.string().trim().min(1).max(30),
  item: z.string().trim().min(1).max(100),
});
export type Order = z.infer<typeof Order>;

export const orders = defineHub<OrdersClient>()({
  methods: {
    follow: { args: [Order.shape.customer], handler: (hub, customer) => hub.groups.add(customer) },
    unfollow: { args: [Order.shape.customer], handler: (hub, customer) => hub.groups.remove(customer) },
  },
});

export default defineService({ hubs: { orders } });
