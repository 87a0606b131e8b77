import { lookup } from 'node:dns/promises';

/** Addresses behind a name as the machine's resolver sees it; `undefined` when it cannot tell, or not in time. */
export async function resolveHost(host: string, signal: AbortSignal): Promise<readonly string[] | undefined> {
  const given = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const asked = lookup(host, { all: true }).then(
    (found) => found.map(({ address }) => address),
    // No such name, or no resolver: both mean that it cannot be told.
    () => undefined,
  );
  return Promise.race([asked, given]);
}
