import type { ChainEvent } from '../../contracts/client/follow.ts';

/** Unix seconds; 0 where the event names none. */
export function deadlineOf({ args }: ChainEvent): number {
  const { deadline } = (args.terms ?? {}) as { readonly deadline?: number };
  return deadline ?? 0;
}

/** What an event is about: what is told of one request or channel is handled in its order. */
export function subjectOf(event: ChainEvent): string {
  const { requestId, channelId } = event.args;
  const subject = requestId ?? channelId;
  return subject === undefined ? nameOf(event) : `${event.address}/${String(subject)}`;
}

/** The one spelling of an event's place. */
export function nameOf({ blockNumber, transactionHash, logIndex }: ChainEvent): string {
  return `${blockNumber}/${transactionHash}/${logIndex}`;
}
