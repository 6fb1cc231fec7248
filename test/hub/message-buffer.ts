// How the stock client counts for stateful reconnect, as its MessageBuffer does it.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/clients/ts/signalr/src/MessageBuffer.ts

const SEPARATOR = "\u001e";

export interface BufferPorts {
  /** Sends a record by the present socket. */
  say(record: string): void;
  /** What the server did must not happen. */
  fail(what: string): void;
  after(milliseconds: number, act: () => void): void;
}

/** Lives from handshake to handshake. */
export class MessageBuffer {
  readonly #ports: BufferPorts;
  #unacknowledged: { readonly id: number; readonly record: string }[] = [];
  #sent = 0;
  #next = 1;
  #latest = 0;
  #acknowledges = false;
  #isResuming = false;
  #waitsForSequence = false;

  constructor(ports: BufferPorts) {
    this.#ports = ports;
  }

  /** A message that counts. */
  send(record: string): void {
    this.#sent += 1;
    this.#unacknowledged.push({ id: this.#sent, record });
    if (!this.#isResuming) this.#ports.say(record);
  }

  disconnected(): void {
    this.#isResuming = true;
    this.#waitsForSequence = true;
  }

  /** A new socket stands. */
  resend(): void {
    const sequenceId = this.#unacknowledged[0]?.id ?? this.#sent + 1;
    this.#ports.say(JSON.stringify({ type: 9, sequenceId }) + SEPARATOR);
    for (const { record } of this.#unacknowledged) this.#ports.say(record);
    this.#isResuming = false;
  }

  /** Whether the application is to see the message. */
  receive(message: { readonly type: number; readonly sequenceId: number }): boolean {
    if (this.#waitsForSequence && message.type !== 9) return false;
    this.#waitsForSequence = false;
    switch (message.type) {
      case 1:
      case 3:
        return this.#count();
      case 8:
        if (message.sequenceId > this.#sent) this.#ports.fail(`${message.sequenceId} acknowledged of ${this.#sent}`);
        this.#unacknowledged = this.#unacknowledged.filter(({ id }) => id > message.sequenceId);
        return false;
      case 9:
        if (message.sequenceId > this.#next) this.#ports.fail(`Sequence ${message.sequenceId}, expected ${this.#next}`);
        if (message.sequenceId < 1) this.#ports.fail(`Sequence ${message.sequenceId}`);
        this.#next = message.sequenceId;
        return false;
      default:
        return false;
    }
  }

  #count(): boolean {
    const id = this.#next;
    this.#next += 1;
    if (id <= this.#latest) return false;
    this.#latest = id;
    if (!this.#acknowledges) {
      this.#acknowledges = true;
      this.#ports.after(1_000, () => {
        this.#acknowledges = false;
        if (!this.#isResuming) this.#ports.say(JSON.stringify({ type: 8, sequenceId: this.#latest }) + SEPARATOR);
      });
    }
    return true;
  }
}
