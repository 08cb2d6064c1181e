/** Fetches what strangers name, one after the other: `fetch-public.ts MOST_BYTES TIMEOUT URL…`. Prints the text, or the code, of each as JSON. */
import { fetchPublic } from '../../runtime/public-fetch.ts';

const [mostBytes, timeout, ...urls] = process.argv.slice(2);
for (const url of urls) {
  const got = await fetchPublic(url, { mostBytes: Number(mostBytes), timeout: Number(timeout) }).catch(
    ({ code }: { code: string }) => code,
  );
  console.log(JSON.stringify(got instanceof Uint8Array ? Buffer.from(got).toString() : (got ?? null)));
}
