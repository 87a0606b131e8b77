import { join } from 'node:path';
import { z } from 'zod';
import { GatewayError } from '../core/errors.ts';
import { readFileIfExists, writeFileAtomic } from '../system/files.ts';
import { renderInvite } from '../wire/invite.ts';
import { Members } from './members.ts';

const INVITE_MS = 24 * 3_600_000;
/** What the running relay tells `gateway relay invite`. */
const Told = z.object({ address: z.string(), fingerprint: z.string() });
const TOLD = 'relay.json';

export function tellInvites(directory: string, told: z.infer<typeof Told>): Promise<void> {
  return writeFileAtomic(join(directory, TOLD), JSON.stringify(told), { mode: 0o600 });
}

/** A new invite of the relay with this directory, for one home, for a day. */
export async function makeInvite(directory: string, nowMs: number): Promise<string> {
  const text = (await readFileIfExists(join(directory, TOLD)))?.toString();
  if (text === undefined) {
    throw new GatewayError(`no relay was ever up with the directory ${directory}`, {
      code: 'NotSupported',
      hint: 'start it first: gateway relay up; or name its directory: --state DIR',
    });
  }
  const { address, fingerprint } = Told.parse(JSON.parse(text));
  const secret = await new Members(directory).invite(nowMs + INVITE_MS, nowMs);
  return renderInvite({ address, fingerprint, secret });
}
