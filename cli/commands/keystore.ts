import { Argument, Command } from 'commander';
import { privateKeyFrom } from '../../runtime/configuration.ts';
import { keystoreAddress } from '../../runtime/keystore.ts';
import { type KeystoreFile, newPrivateKey, PASSWORD_VARIABLE, readSmall, writeKeystore } from '../../runtime/keystore-file.ts';
import { ROLES } from '../accounts.ts';
import { createOutput } from '../output.ts';

interface Options {
  readonly passwordFile?: string;
  readonly json?: boolean;
}

type Action = 'new' | 'import' | 'address';

export function keystoreCommand(): Command {
  return new Command('keystore')
    .description('Keep a key in an encrypted file (Web3 Secret Storage)')
    .addArgument(
      new Argument('<action>', 'a new key, one from the environment, or whose key a file holds').choices(['new', 'import', 'address']),
    )
    .argument('<file>', 'the keystore; new and import write it')
    .option('--password-file <file>', `file with the password (default: ${PASSWORD_VARIABLE} in the environment)`)
    .addHelpText('after', `\nimport takes the key from the environment: ${ROLES.node.variable}=0x…`)
    .action(run);
}

async function run(action: Action, file: string, options: Options): Promise<void> {
  if (action === 'address') return tell(file, options);
  return write(action === 'new' ? newPrivateKey() : privateKeyFrom(ROLES.node.variable), file, options);
}

/** As the file says itself: only the password could tell whether it is true. */
async function tell(file: string, options: Options): Promise<void> {
  const address = keystoreAddress(await readSmall(file));
  createOutput(options.json === true).result({ event: 'keystore', file, address: address ?? null }, address ?? 'The file does not say.');
}

async function write(key: `0x${string}`, file: string, options: Options): Promise<void> {
  const where: KeystoreFile = { file, passwordFile: options.passwordFile };
  const address = await writeKeystore(key, where);
  createOutput(options.json === true).result(
    { event: 'keystore', file, address },
    `Key of ${address} in ${file}; nothing opens it without its password.`,
  );
}
