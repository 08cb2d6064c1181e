import type { Command } from 'commander';

export interface CommandEntry {
  /** What `assay --help` says of it: the command's own description. */
  readonly summary: string;
  /** Reads its file; some need half the project. */
  load(): Promise<Command>;
}

/** Every command there is, in the order `assay --help` lists them. */
export const commands: Readonly<Record<string, CommandEntry>> = {
  compile: {
    summary: 'Turn an ONNX model into an integer program, and say what that costs and loses',
    load: async () => (await import('./compile.ts')).compileCommand(),
  },
  run: { summary: 'Run a compiled model: one JSON line a case', load: async () => (await import('./run.ts')).runCommand() },
  inspect: {
    summary: 'Show what a compiled model holds and costs; or what an ONNX model would, before compiling it',
    load: async () => (await import('./inspect.ts')).inspectCommand(),
  },
  setup: {
    summary: 'Make the proving key of a compiled model: from published powers of tau, or a development key',
    load: async () => (await import('./setup.ts')).setupCommand(),
  },
  prove: { summary: "Prove a model's answer to one input", load: async () => (await import('./prove.ts')).proveCommand() },
  verify: {
    summary: 'Verify a proof, and show the answer that it proves; exit code 1 when it does not hold',
    load: async () => (await import('./verify.ts')).verifyCommand(),
  },
  audit: {
    summary: 'Compile the circuit again and check program, carrier, circuit, keys and provenance; exit code 1 when one is wrong',
    load: async () => (await import('./audit.ts')).auditCommand(),
  },
  selftest: {
    summary: 'Check that this machine computes integer programs bit for bit; exit code 1 when it does not',
    load: async () => (await import('./selftest.ts')).selftestCommand(),
  },
  up: {
    summary: 'Run everything on this machine: chain, contracts, demo models, prover, challenger',
    load: async () => (await import('./up.ts')).upCommand(),
  },
  deploy: {
    summary: 'Deploy the contracts on a chain and record where they are',
    load: async () => (await import('./deploy.ts')).deployCommand(),
  },
  register: {
    summary: 'Register a compiled model, with its verification key when it has one',
    load: async () => (await import('./register.ts')).registerCommand(),
  },
  stake: {
    summary: "Manage a prover's stake: ether, signing keys, earnings",
    load: async () => (await import('./stake.ts')).stakeCommand(),
  },
  channel: {
    summary: 'Lock stake behind the receipts of one customer, and free it again',
    load: async () => (await import('./channel.ts')).channelCommand(),
  },
  keystore: {
    summary: 'Keep a key in an encrypted file (Web3 Secret Storage)',
    load: async () => (await import('./keystore.ts')).keystoreCommand(),
  },
  request: { summary: 'Ask for an answer on chain, and wait for it', load: async () => (await import('./request.ts')).requestCommand() },
  node: {
    summary: 'Run a prover: answer requests, defend the answers, serve HTTP',
    load: async () => (await import('./node.ts')).nodeCommand(),
  },
  challenger: {
    summary: 'Run a challenger: re-execute a share of all claims, dispute the wrong ones',
    load: async () => (await import('./challenger.ts')).challengerCommand(),
  },
  demo: {
    summary: 'Play the whole story on a local chain: proof, stake, fraud and its end, defence',
    load: async () => (await import('./demo.ts')).demoCommand(),
  },
};
