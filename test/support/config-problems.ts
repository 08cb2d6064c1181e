import { ConfigError } from '../../runtime/configuration.ts';

/** What a configuration is refused for; nothing where it is taken. */
export function configProblemsOf(run: () => unknown): ConfigError['problems'] {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}
