import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

/** What one stretch of load gave. */
export interface LoadResult {
  readonly answers: number;
  readonly seconds: number;
  /** Milliseconds of each answer, sorted; from the moment at which the request was due. */
  readonly latencies: Float64Array;
  /** Answers with another status than 200. */
  readonly refused: number;
}

/**
 * A generator that costs little beside what it measures: requests are bytes made before, on connections that stay; of answers only
 * status and length are read.
 */
export class Load {
  private readonly connections: Connection[];

  private constructor(connections: Connection[]) {
    this.connections = connections;
  }

  static async open(url: string, count: number): Promise<Load> {
    return new Load(await Promise.all(Array.from({ length: count }, () => Connection.open(url))));
  }

  /** Every connection asks again as soon as it is answered. */
  async closed(requests: readonly Buffer[], milliseconds: number): Promise<LoadResult> {
    const started = performance.now();
    const latencies: number[] = [];
    let refused = 0;
    let next = 0;
    await Promise.all(
      this.connections.map(async (connection) => {
        while (performance.now() - started < milliseconds) {
          const from = performance.now();
          if ((await connection.ask(requests[next++ % requests.length]!)) !== 200) refused++;
          latencies.push(performance.now() - from);
        }
      }),
    );
    return result(latencies, started, refused);
  }

  /** So many requests a second, whether earlier ones were answered or not; they wait for a free connection. */
  async paced(requests: readonly Buffer[], perSecond: number, milliseconds: number): Promise<LoadResult> {
    const started = performance.now();
    const total = Math.floor((perSecond * milliseconds) / 1000);
    const latencies: number[] = [];
    let refused = 0;
    let next = 0;
    await Promise.all(
      this.connections.map(async (connection) => {
        for (let i = next++; i < total; i = next++) {
          const due = started + (i * 1000) / perSecond;
          const early = due - performance.now();
          if (early > 1) await new Promise((resolve) => setTimeout(resolve, early));
          if ((await connection.ask(requests[i % requests.length]!)) !== 200) refused++;
          latencies.push(performance.now() - Math.min(due, performance.now()));
        }
      }),
    );
    return result(latencies, started, refused);
  }

  close(): void {
    for (const connection of this.connections) connection.close();
  }
}

function result(latencies: number[], started: number, refused: number): LoadResult {
  const seconds = (performance.now() - started) / 1000;
  return { answers: latencies.length, seconds, latencies: Float64Array.from(latencies).sort(), refused };
}

class Connection {
  private readonly socket: Socket;
  private pending: ((status: number) => void) | undefined;
  private status = 0;
  /** Bytes of the answer's body that are still to come; -1 before its head is whole. */
  private rest = -1;
  private head: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.read(chunk));
    socket.on('close', () => this.end(0));
    socket.on('error', () => undefined);
  }

  static open(url: string): Promise<Connection> {
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => resolve(new Connection(socket)));
      socket.once('error', reject);
    });
  }

  /** @returns the status; 0 when the connection was closed */
  ask(request: Buffer): Promise<number> {
    if (this.socket.destroyed) throw new Error('the connection was closed');
    return new Promise((resolve) => {
      this.pending = resolve;
      this.socket.write(request);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private read(chunk: Buffer): void {
    if (this.rest < 0) {
      const whole = this.head.length === 0 ? chunk : Buffer.concat([this.head, chunk]);
      const end = whole.indexOf('\r\n\r\n');
      if (end < 0) {
        this.head = whole;
        return;
      }
      const head = whole.toString('latin1', 0, end);
      this.status = Number(head.slice(9, 12));
      this.rest = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0) - (whole.length - end - 4);
      this.head = Buffer.alloc(0);
    } else {
      this.rest -= chunk.length;
    }
    if (this.rest === 0) this.end(this.status);
  }

  private end(status: number): void {
    this.rest = -1;
    const { pending } = this;
    this.pending = undefined;
    pending?.(status);
  }
}

/** A request as it goes over the wire. */
export function requestBytes(method: string, route: string, body?: Uint8Array): Buffer {
  const type = body === undefined ? '' : `content-type: application/octet-stream\r\ncontent-length: ${body.length}\r\n`;
  return Buffer.concat([Buffer.from(`${method} ${route} HTTP/1.1\r\nhost: bench\r\n${type}\r\n`), body ?? new Uint8Array()]);
}
