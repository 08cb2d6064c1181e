import type { FastifyInstance } from 'fastify';
import { AssayError } from '../../core/errors.ts';

/** To be called before the routes are added. @returns to be called after: answers every other method of theirs, and says which there are */
export function refuseOtherMethods(server: FastifyInstance): () => void {
  const methods = new Map<string, Set<string>>();
  server.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set<string>();
    for (const each of [method].flat()) known.add(each);
    methods.set(url, known);
  });
  return () => {
    for (const [url, known] of [...methods]) {
      // Asked by browsers before they ask: what is refused there is CORS's to say.
      const others = server.supportedMethods.filter((method) => !known.has(method) && method !== 'OPTIONS');
      const allow = [...known].sort().join(', ');
      server.route({
        ...{ method: others, url, schema: { hide: true } },
        // Before the body is looked at, whatever it is.
        onRequest: (_request, reply, done) => {
          reply.header('allow', allow);
          done(refused(allow));
        },
        handler: () => undefined,
      });
    }
  };
}

function refused(allow: string): AssayError {
  return new AssayError('The route does not have this method', { code: 'HTTP_METHOD', facts: { allow }, fix: `use ${allow}` });
}
