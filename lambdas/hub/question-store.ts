// The state port, continued: what clients are asked for, until they have answered.

/** A client's answer: the result as JSON, or its error. */
export type Answer = { readonly json: string } | { readonly error: string };

export interface QuestionState {
  readonly connectionId: string;
  /** Undefined until it comes. */
  readonly answer: Answer | undefined;
}

export interface QuestionStore {
  /** Before the question is sent. `expiresAt` is when it is garbage: epoch milliseconds. */
  putQuestion(id: string, connectionId: string, expiresAt: number): Promise<void>;
  /** Keeps the first answer; the same one made twice is one. `foreign` when others were asked, and not this connection. */
  answer(id: string, connectionId: string, answer: Answer): Promise<"kept" | "foreign" | "unknown">;
  /** Everybody who was asked, read consistently. */
  questions(id: string): Promise<readonly QuestionState[]>;
  dropQuestion(id: string, connectionId: string): Promise<void>;
}
