// Start of a thread whose code is TypeScript: a thread does not inherit the loader of its process.
import { workerData } from 'node:worker_threads';
import { register } from 'tsx/esm/api';

register();
await import(workerData.script);
