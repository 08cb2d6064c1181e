import { z } from 'zod';
import { confirmations, deployment, keystore, logLevel, pollMilliseconds, rpc, wei } from '../../runtime/configuration-members.ts';
import { isHost, isNetwork } from '../http/addresses.ts';
import { FAULT_KINDS } from '../models/fault.ts';

/** What a node process does; `all` is a node by itself. */
export const NODE_ROLES = ['all', 'api', 'worker', 'chain'] as const;
export type NodeRole = (typeof NODE_ROLES)[number];

const chain = {
  rpc: rpc.optional(),
  deployment,
  keystore: keystore('ASSAY_NODE_KEY'),
  minimumFee: wei
    .optional()
    .describe(
      'requests that pay less are left to others, wei; unless told, what the gas of an answer costs at the time, callbacks included',
    ),
  mostFee: wei.optional().describe('requests that pay more are left to others, wei'),
  mostCoverage: wei.optional().describe('optimistic requests that want more stake locked are left to others, wei'),
  maxFeePerGas: wei
    .optional()
    .describe('never pays more for a unit of gas, wei; answers to demands are sent at any price: a lock is worth more'),
  confirmations,
  pollMilliseconds,
  alarmSeconds: z.int().min(1).max(86_400).default(600).describe('an open demand with less time left than this is an alarm'),
  collectSeconds: z.int().min(1).max(604_800).default(3_600).describe('how often fees and payments for answers are brought to the owner'),
  requestDays: z
    .int()
    .min(1)
    .max(36_500)
    .default(30)
    .describe('days for which a request on chain is remembered after its deadline, and a claim after its end; then it is removed'),
};

const parts = {
  data: z.string().min(1).optional().describe('state directory, of this node alone; not needed where redis and database are given'),
  redis: z
    .url({ protocol: /^rediss?$/, error: 'must be a redis or rediss URL, special characters of its password percent-encoded' })
    .optional()
    .meta({ description: 'Redis that holds the queue; without one it is in the state directory', writeOnly: true }),
  database: z
    .url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres URL, special characters of its password percent-encoded' })
    .optional()
    .meta({ description: 'PostgreSQL that holds documents and input bytes; without one they are in the state directory', writeOnly: true }),
};

const http = {
  host: z
    .string()
    .refine(isHost, 'must be an IP address or a name, without scheme, brackets or port')
    .default('127.0.0.1')
    .describe('address the HTTP service listens on'),
  port: z.int().min(0).max(65_535).default(8_645).describe('port of the HTTP service; 0 takes a free one'),
  requestsPerMinute: z.int().min(1).max(10_000_000).default(6_000).describe('HTTP requests of one address or API key'),
  trustedProxies: z
    .array(z.string().refine(isNetwork, 'must be an IP address or a network such as 10.0.0.0/8'))
    .max(64)
    .default([])
    .describe('addresses or networks of proxies whose X-Forwarded-For tells who asks; no others are believed'),
  apiKeys: z.string().min(1).optional().describe('file of hashed API keys, read again when it changes; without one everybody may ask'),
  answerDays: z
    .int()
    .min(1)
    .max(36_500)
    .default(30)
    .describe('days for which a receipt can be read again after it expired, and a proof after its deadline; then it is removed'),
  idempotencyDays: z
    .int()
    .min(1)
    .max(36_500)
    .default(7)
    .describe('days for which an idempotency key keeps its answer; not more than answerDays'),
  corsOrigins: z.array(z.string().min(1).max(256)).max(64).default([]).describe('web origins whose pages may ask'),
};

const work = {
  models: z
    .array(
      z.strictObject({
        modelId: z
          .string()
          .regex(/^0x[0-9a-f]{64}$/, 'must be 0x and 64 lower-case hex digits')
          .describe('registered id'),
        directory: z.string().min(1).describe('folder that holds its program'),
      }),
    )
    .min(1)
    .max(64)
    .describe('models served: list of {"modelId", "directory"}'),
  runConcurrency: z.int().min(1).max(256).default(4).describe('model runs at the same time'),
  sessionsPerModel: z.int().min(1).max(64).default(1).describe('onnxruntime sessions of each model'),
  sessionThreads: z.int().min(1).max(256).optional().describe("threads inside one session; onnxruntime's own choice unless told"),
  proofProcesses: z.int().min(1).max(16).default(1).describe('proofs made at the same time, each in a process of its own'),
  proofMemoryMiB: z.int().min(64).max(1_048_576).default(4_096).describe('memory that one proving process may take, MiB'),
};

/** What a node operator decides. Keys are not among it: they come from a keystore file or the environment. */
export const nodeConfigSchema = z.strictObject({
  $schema: z.string().optional().describe('for editors: deploy/node.schema.json'),
  role: z.enum(NODE_ROLES).default('all').describe('what this process does; all but `all` need redis and database'),
  ...chain,
  ...parts,
  ...work,
  ...http,
  drainSeconds: z.int().min(0).max(3_600).default(20).describe('time that running work gets to end after SIGTERM'),
  logLevel,
  fault: z
    .strictObject({
      seed: z.int().min(0).max(0xffffffff).describe('draws what is altered'),
      kind: z.enum(FAULT_KINDS).default('tensor').describe('what is altered'),
    })
    .optional()
    .describe('development chain only: answers wrongly'),
});

export type NodeConfig = z.output<typeof nodeConfigSchema>;
