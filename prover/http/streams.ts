import type { FastifyRequest } from 'fastify';
import { AssayError } from '../../core/errors.ts';
import { busy } from '../concurrency/gate.ts';
import { stopping } from './errors.ts';
import type { ApiKeys } from './keys.ts';

export interface StreamLimits {
  /** Streams of events open at the same time: in all, and of one API key or address. */
  readonly streams: number;
  readonly perCaller: number;
  /** Milliseconds after which a stream ends; its client comes back for the rest. */
  readonly age: number;
}

/** A place among the open streams. */
export interface StreamPlace {
  /** Aborted when the stream has to end; the reason is an AssayError that says why. */
  readonly signal: AbortSignal;
  /** Gives the place back; safe to call twice. */
  leave(): void;
}

interface OpenStream {
  readonly caller: string;
  readonly access: FastifyRequest['access'];
  readonly ending: AbortController;
}

/** The open streams of events: bounded in number and age, and none outlives the key that opened it, or the node's readiness. */
export class EventStreams {
  private readonly open = new Set<OpenStream>();
  private readonly limits: StreamLimits;
  private readonly closing: AbortSignal;

  /** @param closing the node takes no new work: every stream ends */
  constructor(limits: StreamLimits, keys: ApiKeys | undefined, closing: AbortSignal) {
    this.limits = limits;
    this.closing = closing;
    keys?.onChange(() => {
      for (const { access, ending } of this.open) {
        if (typeof access === 'object' && !keys.holds(access)) ending.abort(revoked(access.id));
      }
    });
    closing.addEventListener('abort', () => {
      for (const { ending } of this.open) ending.abort(stopping());
    });
  }

  /** @throws AssayError NODE_BUSY, NODE_STOPPING */
  enter({ caller, access }: Pick<FastifyRequest, 'caller' | 'access'>): StreamPlace {
    const { streams, perCaller, age } = this.limits;
    if (this.closing.aborted) throw stopping();
    if (this.open.size >= streams) throw busy('other streams of events');
    const own = [...this.open].filter((stream) => stream.caller === caller.id).length;
    if (own >= perCaller) throw busy('other streams of events of yours');
    const stream = { caller: caller.id, access, ending: new AbortController() };
    this.open.add(stream);
    const timer = setTimeout(() => stream.ending.abort(tooOld(age)), age);
    timer.unref();
    return {
      signal: stream.ending.signal,
      leave: () => {
        clearTimeout(timer);
        this.open.delete(stream);
      },
    };
  }
}

function revoked(key: string): AssayError {
  return new AssayError('The API key that opened this stream is not known any more', {
    code: 'HTTP_UNAUTHORIZED',
    facts: { key },
    fix: 'ask the operator of the node for another key',
  });
}

function tooOld(age: number): AssayError {
  return new AssayError('The stream is as old as it may become', {
    code: 'STREAM_AGE',
    facts: { seconds: Math.round(age / 1000) },
    fix: 'open it again with Last-Event-ID: it goes on where it was',
  });
}
