// The peer, in a process of its own: Socket.IO as it comes, with its memory adapter.

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import { reportToParent } from "./report-to-parent.ts";

const http = createServer();
const server = new Server(http, { transports: ["websocket"], serveClient: false });
server.on("connection", (socket) => {
  socket.on("echo", (text: string, reply: (text: string) => void) => reply(text));
  socket.on("broadcast", (text: string, reply: () => void) => {
    server.emit("receive", text);
    reply();
  });
  socket.on("stream", (count: number, reply: () => void) => {
    for (let index = 0; index < count; index++) socket.emit("item", index);
    reply();
  });
  let items = 0;
  socket.on("item", () => {
    items += 1;
  });
  socket.on("collect", (reply: (items: number) => void) => reply(items));
  socket.on("confirm", async (times: number, reply: () => void) => {
    for (let count = 0; count < times; count++) await socket.emitWithAck("confirm");
    reply();
  });
});
http.listen(0, "127.0.0.1");
await once(http, "listening");
reportToParent(`http://127.0.0.1:${(http.address() as AddressInfo).port}`);
