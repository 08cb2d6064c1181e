// needs: postgresql
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { openPostgres, type Postgres } from '../../prover/store/postgres.ts';
import { createLog } from '../../runtime/log.ts';
import { historyConformance } from '../node/history-conformance.ts';
import { retentionConformance } from '../node/retention-conformance.ts';
import { artifactConformance, type StoreUnderTest, storeConformance } from '../node/store-conformance.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';

const log = createLog({ name: 'test', level: 'silent' });
const opened: Postgres[] = [];
let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(async () => {
  for (const held of opened) await held.close();
  await server.remove();
});

async function open(schema: string): Promise<Postgres> {
  const held = await openPostgres({ url: server.url, schema, log });
  opened.push(held);
  return held;
}

async function create(): Promise<StoreUnderTest> {
  const schema = `test_${randomBytes(4).toString('hex')}`;
  return { store: (await open(schema)).store, reopen: async () => (await open(schema)).store, remove: async () => {} };
}

storeConformance('PostgreSQL', create);
retentionConformance('PostgreSQL', create);
historyConformance('PostgreSQL', create);

artifactConformance('PostgreSQL', async () => (await open(`test_${randomBytes(4).toString('hex')}`)).artifacts);
