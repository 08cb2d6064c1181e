import type { Command } from 'commander';

/** Every command there is, in the order `assay --help` lists them. Each is loaded when it is asked for: some need half the project. */
export const commands: Readonly<Record<string, () => Promise<Command>>> = {
  compile: async () => (await import('./compile.ts')).compileCommand(),
  run: async () => (await import('./run.ts')).runCommand(),
  inspect: async () => (await import('./inspect.ts')).inspectCommand(),
  setup: async () => (await import('./setup.ts')).setupCommand(),
  prove: async () => (await import('./prove.ts')).proveCommand(),
  verify: async () => (await import('./verify.ts')).verifyCommand(),
  audit: async () => (await import('./audit.ts')).auditCommand(),
  selftest: async () => (await import('./selftest.ts')).selftestCommand(),
  up: async () => (await import('./up.ts')).upCommand(),
  deploy: async () => (await import('./deploy.ts')).deployCommand(),
  register: async () => (await import('./register.ts')).registerCommand(),
  stake: async () => (await import('./stake.ts')).stakeCommand(),
  request: async () => (await import('./request.ts')).requestCommand(),
  node: async () => (await import('./node.ts')).nodeCommand(),
  challenger: async () => (await import('./challenger.ts')).challengerCommand(),
  demo: async () => (await import('./demo.ts')).demoCommand(),
};
