/** What JSON can carry. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** What a member shows of itself to the others. */
export type Info = { [name: string]: Json };

/** A place in a room: behind the publication of that offset, counted from 1 in an epoch. */
export interface Position {
  epoch: string;
  offset: number;
}

export interface Publication {
  offset: number;
  /** JSON, or octets where the server published octets. */
  data: any;
  /** What it is the latest state of; may be empty. */
  key: string;
  /** The id of the member that published it; empty where none did. */
  publisher: string;
}

export interface History {
  position: Position;
  /** Whether `publications` has everything up to `position`. */
  complete: boolean;
  publications: Publication[];
}

export type State =
  /** Before connect(), and after close(). */
  | { name: "closed" }
  | { name: "connecting" }
  /** welcome: what the server's application tells each page. */
  | { name: "open"; welcome: any }
  /** Lost, with this close code; the next attempt is at `retryAt`, in milliseconds since 1970. */
  | { name: "waiting"; code: number; reason: string; retryAt: number }
  /** Closed for a reason that coming back would not mend. */
  | { name: "stopped"; code: number; reason: string };

export interface ClientOptions {
  /** Before the first attempt to come back, at most; doubled with each that fails. 500. */
  firstDelayMs?: number;
  /** Between two attempts, at most. 15000. */
  longestDelayMs?: number;
  /** How many publishes of a room may wait for a reply. 100. */
  queueLimit?: number;
}

export interface JoinOptions {
  /** What the others are to see of us. */
  info?: Info;
  /** Keep `members` up to date, and dispatch "joined" and "left". */
  presence?: boolean;
  /** So many of the latest publications are told first. 0. */
  history?: number;
  /** Go on behind this place, such as a position kept from an earlier page. */
  since?: Position | null;
  /** So many publications at most are on their way here, the newest first; 0 for no limit. */
  window?: number;
}

/**
 * A command that failed. code: "closed", "left" and "queue_full" come from this side; the others
 * are the protocol's, in docs/rooms.md.
 */
export class RoomError extends Error {
  constructor(code: string, text: string);
  readonly code: string;
}

interface ClientEvents {
  state: CustomEvent<State>;
  /** The round trip of a ping, in milliseconds. */
  rtt: CustomEvent<number>;
  /** The server says that something of ours, it cannot tell what, was wrong. */
  error: CustomEvent<RoomError>;
}

interface RoomEvents {
  /**
   * We are in, and what was missed follows. recovered: null the first time; true: nothing is
   * missing; false: something is, and what follows is what the room still has.
   */
  ready: CustomEvent<{ recovered: boolean | null }>;
  publication: CustomEvent<Publication>;
  /** before: the member's info where it was here already and has another now. */
  joined: CustomEvent<{ member: string; info: Info; before?: Info }>;
  left: CustomEvent<{ member: string; before?: Info }>;
  /** The server does not let us in; the room is tried again with the next connection. */
  error: CustomEvent<RoomError>;
}

/** One connection to the server, and the rooms that it is in. */
export class Client extends EventTarget {
  /** url: of the server's handler, relative to the page's; a function is asked each time. */
  constructor(url: string | (() => string), options?: ClientOptions);
  /** Our id among the members; null before the first connection, another with each. */
  readonly id: string | null;
  readonly state: State;
  /** Connects, now rather than later. */
  connect(): void;
  /** Closes; connect() goes on. */
  close(): void;
  /** Joins as soon as there is a connection, and again after each loss. Throws if it is joined. */
  join(name: string, options?: JoinOptions): Room;
  addEventListener<T extends keyof ClientEvents>(
    type: T,
    listener: (event: ClientEvents[T]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

/** A room; made by Client.join(). */
export class Room extends EventTarget {
  private constructor();
  readonly name: string;
  /** Who is here, by id, where `presence` is set. */
  readonly members: Map<string, Info>;
  /** The place up to which everything was told. */
  readonly position: Position | null;
  /**
   * Publishes JSON. Without a connection it waits for the next one; what had no reply is sent
   * again, and within five minutes the server publishes it once. Rejects with a RoomError.
   */
  publish(data: Json, options?: { key?: string }): Promise<Position>;
  presence(): Promise<{ [member: string]: Info }>;
  /** Of what the room keeps: behind `since` the oldest `limit`; without it, the latest. */
  history(options?: { since?: Position; limit?: number }): Promise<History>;
  /**
   * Changes what was said when joining. Returns the info that the server lets us show, nothing
   * where there is no connection.
   */
  update(options: { info?: Info; window?: number }): Promise<Info | undefined>;
  /** Leaves for good; nothing more is told, and publishes without a reply or from now on reject. */
  leave(): void;
  addEventListener<T extends keyof RoomEvents>(
    type: T,
    listener: (event: RoomEvents[T]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}
